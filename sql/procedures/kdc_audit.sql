-- Adds an event to the audit log.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_audit//

CREATE PROCEDURE kdc_audit(IN p_event VARCHAR(64) CHARACTER SET utf8mb4, IN p_user VARCHAR(64) CHARACTER SET utf8mb4,
                           IN p_source VARCHAR(64) CHARACTER SET utf8mb4,
                           IN p_detail VARCHAR(255) CHARACTER SET utf8mb4)
    SQL SECURITY DEFINER
BEGIN
    INSERT INTO audit (time, event, user, source, detail)
         VALUES (UTC_TIMESTAMP(3), p_event, p_user, p_source, p_detail);
END//

DELIMITER ;
