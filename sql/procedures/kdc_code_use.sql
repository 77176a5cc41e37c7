-- The digest of a code that somebody has typed. One row, the outcome and the account's epoch:
--   'ok'       the account is active now ('activate'), or disabled ('deactivate'); the code is used up
--   'wrong'    it is another one; one try less is left
--   'expired'  there is none, its time is over, or no try is left
--   'state'    the account isn't in a state for that

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_code_use//

CREATE PROCEDURE kdc_code_use(IN p_user BIGINT UNSIGNED, IN p_purpose VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE v_digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE v_expires DATETIME(3);
    DECLARE v_tries INT UNSIGNED;
    DECLARE v_outcome VARCHAR(7) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE v_epoch BIGINT UNSIGNED DEFAULT 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT state INTO v_state FROM users WHERE id = p_user FOR UPDATE;
    SELECT digest, expires, tries_left INTO v_digest, v_expires, v_tries
      FROM codes WHERE user = p_user AND purpose = p_purpose;

    IF v_state IS NULL OR v_state <> IF(p_purpose = 'activate', 'pending', 'active') THEN
        SET v_outcome = 'state';
    ELSEIF v_digest IS NULL OR v_digest = '' OR v_tries = 0 OR v_expires <= UTC_TIMESTAMP(3) THEN
        SET v_outcome = 'expired';
    ELSEIF v_digest <> p_digest THEN
        SET v_outcome = 'wrong';
        UPDATE codes SET tries_left = tries_left - 1 WHERE user = p_user AND purpose = p_purpose;
    ELSE
        SET v_outcome = 'ok';
        DELETE FROM codes WHERE user = p_user AND purpose = p_purpose;
        UPDATE users SET state = IF(p_purpose = 'activate', 'active', 'disabled'), changed = SYSDATE(6) WHERE id = p_user;
        SELECT CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) INTO v_epoch FROM users WHERE id = p_user;
    END IF;
    COMMIT;
    SELECT v_outcome AS outcome, v_epoch AS epoch;
END//

DELIMITER ;
