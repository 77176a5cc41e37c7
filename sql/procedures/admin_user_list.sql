-- Accounts behind a name, in the order of their names; without hashes. Only those of a state ('': any), whose name matches a
-- LIKE pattern that escapes with | ('': any), and who last logged in before or since a time in milliseconds since 1970 UTC
-- (0: any). Who never did was not here since.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_list//

CREATE PROCEDURE admin_user_list(IN p_after VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                 IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
                                 IN p_pattern VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin,
                                 IN p_before BIGINT UNSIGNED, IN p_since BIGINT UNSIGNED, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_before DATETIME(3) DEFAULT IF(p_before = 0, NULL, TIMESTAMPADD(MICROSECOND, p_before * 1000, '1970-01-01'));
    DECLARE v_since DATETIME(3) DEFAULT IF(p_since = 0, NULL, TIMESTAMPADD(MICROSECOND, p_since * 1000, '1970-01-01'));

    SELECT id, name, '' AS hash, state,
           TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) DIV 1000 AS created,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', last_login) DIV 1000, 0) AS last_login,
           CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS epoch,
           must_change,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', expires) DIV 1000, 0) AS expires
      FROM users
     WHERE name > p_after
       AND (p_state = '' OR state = p_state)
       AND (p_pattern = '' OR name LIKE p_pattern ESCAPE '|')
       AND (v_before IS NULL OR last_login IS NULL OR last_login < v_before)
       AND (v_since IS NULL OR last_login >= v_since)
     ORDER BY name
     LIMIT p_max;
END//

DELIMITER ;
