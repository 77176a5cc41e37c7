-- Accounts with their hashes, behind a name and in the order of their names, of a state ('': any). A first call, with '' as
-- the name, starts a transaction, in which those that follow see what it saw: an account that is changed meanwhile is neither
-- missed nor seen twice. The connection's end ends it.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_export//

CREATE PROCEDURE admin_user_export(IN p_after VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                   IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    IF p_after = '' THEN
        ROLLBACK;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        START TRANSACTION WITH CONSISTENT SNAPSHOT;
        SET @kdc_admin_user_export = 1;
    ELSEIF @kdc_admin_user_export IS NULL THEN
        SIGNAL SQLSTATE '70100' SET MYSQL_ERRNO = 1927, MESSAGE_TEXT = 'the connection was lost in the middle';
    END IF;

    SELECT id, name, hash, state,
           TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) DIV 1000 AS created,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', last_login) DIV 1000, 0) AS last_login,
           CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS epoch,
           must_change,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', expires) DIV 1000, 0) AS expires,
           IFNULL(email, '') AS email, IFNULL(phone, '') AS phone
      FROM users
     WHERE name > p_after
       AND (p_state = '' OR state = p_state)
     ORDER BY name
     LIMIT p_max;
END//

DELIMITER ;
