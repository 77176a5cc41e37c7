-- The hashes of an account's earlier passwords, the newest first.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_history//

CREATE PROCEDURE kdc_user_history(IN p_id BIGINT UNSIGNED, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    SELECT hash FROM password_history WHERE user = p_id ORDER BY number DESC LIMIT p_max;
END//

DELIMITER ;
