-- Accounts behind a name, in the order of their names; without hashes.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_list//

CREATE PROCEDURE admin_user_list(IN p_after VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    SELECT id, name, '' AS hash, state,
           TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) DIV 1000 AS created,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', last_login) DIV 1000, 0) AS last_login,
           CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS epoch
      FROM users
     WHERE name > p_after
     ORDER BY name
     LIMIT p_max;
END//

DELIMITER ;
