-- Removes events that are older than so many days from the audit log, the oldest first, so many at most; gives how many. Without
-- locks on gaps, and on few rows: what is just being put on record isn't held up.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_audit_expire//

CREATE PROCEDURE kdc_audit_expire(IN p_days INT UNSIGNED, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    DELETE FROM audit WHERE p_days > 0 AND time < UTC_TIMESTAMP(3) - INTERVAL p_days DAY ORDER BY time LIMIT p_max;
    SELECT ROW_COUNT() AS removed;
END//

DELIMITER ;
