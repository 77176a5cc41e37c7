-- Another hash for an account: its password was changed. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_hash//

CREATE PROCEDURE admin_user_set_hash(IN p_id BIGINT UNSIGNED,
                                     IN p_hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    UPDATE users SET hash = p_hash, changed = SYSDATE(6) WHERE id = p_id;
    SELECT EXISTS (SELECT 1 FROM users WHERE id = p_id) AS found;
END//

DELIMITER ;
