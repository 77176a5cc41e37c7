-- New invitations, all or none: p_digests is a JSON array of digests. p_expires in milliseconds since 1970 UTC, 0: never. One row
-- for each: its place in the array (from 1) and its number.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_invitation_new//

CREATE PROCEDURE admin_invitation_new(IN p_digests LONGTEXT CHARACTER SET utf8mb4,
                                      IN p_note VARCHAR(255) CHARACTER SET utf8mb4,
                                      IN p_made_by VARCHAR(128) CHARACTER SET utf8mb4, IN p_expires BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    INSERT INTO invitations (digest, note, made, made_by, expires)
    SELECT d.digest, p_note, UTC_TIMESTAMP(3), p_made_by,
           IF(p_expires = 0, NULL, TIMESTAMPADD(MICROSECOND, p_expires * 1000, '1970-01-01 00:00:00'))
      FROM JSON_TABLE(p_digests, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                 digest CHAR(64) CHARACTER SET ascii PATH '$')) AS d
     ORDER BY d.number;

    SELECT d.number, invitations.id
      FROM JSON_TABLE(p_digests, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                 digest CHAR(64) CHARACTER SET ascii PATH '$')) AS d
      JOIN invitations ON invitations.digest = d.digest COLLATE ascii_bin
     ORDER BY d.number;
END//

DELIMITER ;
