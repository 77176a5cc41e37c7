-- A login that went well.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_logged_in//

CREATE PROCEDURE kdc_user_logged_in(IN p_id BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    UPDATE users SET last_login = UTC_TIMESTAMP(3) WHERE id = p_id;
    SELECT EXISTS (SELECT 1 FROM users WHERE id = p_id) AS found;
END//

DELIMITER ;
