-- Invitations behind a number, in the order of their numbers. Times in milliseconds since 1970 UTC, 0: never, or not.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_invitation_list//

CREATE PROCEDURE admin_invitation_list(IN p_after BIGINT UNSIGNED, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    SELECT id, note, made_by,
           TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', made) DIV 1000 AS made,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', expires) DIV 1000, 0) AS expires,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', used) DIV 1000, 0) AS used,
           IFNULL(used_by, '') AS used_by,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', revoked) DIV 1000, 0) AS revoked,
           CASE WHEN used IS NOT NULL THEN 'used' WHEN revoked IS NOT NULL THEN 'revoked'
                WHEN expires <= UTC_TIMESTAMP(3) THEN 'expired' ELSE 'open' END AS state
      FROM invitations
     WHERE id > p_after
     ORDER BY id
     LIMIT p_max;
END//

DELIMITER ;
