-- The account's user must change the password at the next login. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_must_change//

CREATE PROCEDURE admin_user_set_must_change(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    UPDATE users SET must_change = TRUE, changed = SYSDATE(6) WHERE name = p_name;
    SELECT EXISTS (SELECT 1 FROM users WHERE name = p_name) AS found;
END//

DELIMITER ;
