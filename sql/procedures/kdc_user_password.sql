-- Another password's hash, chosen by the account's own user: then nothing has to be changed any more. Not if the hash is
-- another one than p_from by now, or the account isn't active any more. So many earlier hashes are kept as p_keep says. Its epoch: as in admin_user_set_state.
-- Whoever puts another procedure in the place of kdc_user_find may put one in this one's place, too: else people can't change
-- their passwords here.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_password//

CREATE PROCEDURE kdc_user_password(IN p_id BIGINT UNSIGNED, IN p_from VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                                   IN p_to VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin, IN p_keep INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_newest INT UNSIGNED;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    -- The account's row is lock enough; its neighbours' history stays free.
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    UPDATE users SET hash = p_to, must_change = FALSE, changed = SYSDATE(6)
     WHERE id = p_id AND hash = p_from AND state = 'active';
    IF ROW_COUNT() > 0 THEN
        SELECT IFNULL(MAX(number), 0) + 1 INTO v_newest FROM password_history WHERE user = p_id;
        INSERT INTO password_history (user, number, hash, until) VALUES (p_id, v_newest, p_from, UTC_TIMESTAMP(3));
        DELETE FROM password_history WHERE user = p_id AND number + p_keep <= v_newest;
    END IF;
    COMMIT;
    SELECT EXISTS (SELECT 1 FROM users WHERE id = p_id AND hash = p_to) AS found;
END//

DELIMITER ;
