-- Locks, unlocks, ... an account.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_state//

CREATE PROCEDURE admin_user_set_state(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                      IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    UPDATE users SET state = p_state WHERE name = p_name;
    SELECT EXISTS (SELECT 1 FROM users WHERE name = p_name) AS found;
END//

DELIMITER ;
