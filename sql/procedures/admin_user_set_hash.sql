-- Another hash for an account: an operator has set its password, which its user must change at the next login or not. So many
-- earlier hashes are kept as p_keep says. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_hash//

CREATE PROCEDURE admin_user_set_hash(IN p_id BIGINT UNSIGNED,
                                     IN p_hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                                     IN p_must_change BOOLEAN, IN p_keep INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_newest INT UNSIGNED;
    DECLARE v_before VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    -- The account's row is lock enough; its neighbours' history stays free.
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SET v_before = (SELECT hash FROM users WHERE id = p_id FOR UPDATE);
    UPDATE users SET hash = p_hash, must_change = p_must_change, changed = SYSDATE(6) WHERE id = p_id;
    IF v_before <> p_hash THEN
        SELECT IFNULL(MAX(number), 0) + 1 INTO v_newest FROM password_history WHERE user = p_id;
        INSERT INTO password_history (user, number, hash, until) VALUES (p_id, v_newest, v_before, UTC_TIMESTAMP(3));
        DELETE FROM password_history WHERE user = p_id AND number + p_keep <= v_newest;
    END IF;
    COMMIT;
    SELECT v_before IS NOT NULL AS found;
END//

DELIMITER ;
