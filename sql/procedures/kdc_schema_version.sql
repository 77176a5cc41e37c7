-- The schema's number, which kdcd checks whenever it connects.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_schema_version//

CREATE PROCEDURE kdc_schema_version()
    SQL SECURITY DEFINER
BEGIN
    SELECT IFNULL(MAX(number), 0) AS number FROM schema_migrations;
END//

DELIMITER ;
