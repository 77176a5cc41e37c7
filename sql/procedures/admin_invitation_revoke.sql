-- Revokes an invitation. One row: 'revoked' (also if it was so before), 'used' (it can't be any more), or 'none'.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_invitation_revoke//

CREATE PROCEDURE admin_invitation_revoke(IN p_id BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    UPDATE invitations SET revoked = UTC_TIMESTAMP(3) WHERE id = p_id AND used IS NULL AND revoked IS NULL;
    SELECT IFNULL((SELECT IF(used IS NOT NULL, 'used', 'revoked') FROM invitations WHERE id = p_id), 'none') AS outcome;
END//

DELIMITER ;
