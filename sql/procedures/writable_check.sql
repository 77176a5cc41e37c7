-- Ends whatever is about to write on a server that is read-only. The server lets the definer of a procedure write all the same,
-- when that is an administrator: then what belongs into the primary's tables would be in a replica's.

DELIMITER //

DROP PROCEDURE IF EXISTS writable_check//

CREATE PROCEDURE writable_check()
    SQL SECURITY INVOKER
BEGIN
    IF @@GLOBAL.read_only NOT IN ('0', 'OFF') THEN
        SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'it is read-only';
    END IF;
END//

DELIMITER ;
