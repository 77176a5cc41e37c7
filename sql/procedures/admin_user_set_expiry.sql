-- When an account ends, in milliseconds since 1970 UTC; 0: never. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_expiry//

CREATE PROCEDURE admin_user_set_expiry(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                       IN p_expires BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    UPDATE users
       SET expires = IF(p_expires = 0, NULL, TIMESTAMPADD(MICROSECOND, p_expires * 1000, '1970-01-01 00:00:00')),
           changed = SYSDATE(6)
     WHERE name = p_name;
    SELECT EXISTS (SELECT 1 FROM users WHERE name = p_name) AS found;
END//

DELIMITER ;
