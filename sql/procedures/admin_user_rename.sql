-- Another name for an account: 1, done; 0, there is no such account; 2, the other name is taken. Its number stays, and with it
-- its conversations; the audit log keeps the names that were right at the time. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_rename//

CREATE PROCEDURE admin_user_rename(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                   IN p_to VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE EXIT HANDLER FOR 1062 SELECT 2 AS result;

    CALL writable_check();
    UPDATE users SET name = p_to, changed = SYSDATE(6) WHERE name = p_name;
    SELECT ROW_COUNT() > 0 AS result;
END//

DELIMITER ;
