-- Takes the digest of a new code, to 'activate' a pending account or to 'deactivate' an active one, in place of an earlier one.
-- One row: the outcome, the address that the code is to be mailed to ('': not at all), and seconds until another may be asked
-- for (0: now):
--   'ok'     mail it
--   'quiet'  don't, and say nothing of that: this address has had p_mails mails within the hour, for whichever accounts. What is
--            kept then is the digest of no code: else one could be guessed that nobody was mailed, for account after account
--   'many'   this account has had p_mails within the hour: nothing was changed
--   'email'  nobody knows where to mail it
--   'state'  there is no such account, or in another state; or it is pending because an operator made it so

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_code_new//

CREATE PROCEDURE kdc_code_new(IN p_user BIGINT UNSIGNED, IN p_purpose VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_seconds INT UNSIGNED,
                              IN p_tries INT UNSIGNED, IN p_mails INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE v_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE v_email VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci;
    DECLARE v_mailed INT UNSIGNED DEFAULT 0;
    DECLARE v_since DATETIME(3);
    DECLARE v_owner BIGINT UNSIGNED;
    DECLARE v_to_address INT UNSIGNED DEFAULT 0;
    DECLARE v_outcome VARCHAR(5) CHARACTER SET ascii COLLATE ascii_bin DEFAULT 'ok';
    DECLARE v_retry BIGINT DEFAULT 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT state, email INTO v_state, v_email FROM users WHERE id = p_user FOR UPDATE;
    SELECT mailed, since INTO v_mailed, v_since FROM codes WHERE user = p_user AND purpose = p_purpose;

    -- Who registered has a row from the first moment on.
    IF v_state IS NULL OR v_state <> IF(p_purpose = 'activate', 'pending', 'active') OR
       (p_purpose = 'activate' AND v_since IS NULL) THEN
        SET v_outcome = 'state';
    END IF;
    IF v_since IS NULL OR v_since < v_now - INTERVAL 1 HOUR THEN
        SET v_mailed = 0, v_since = v_now;
    END IF;

    IF v_outcome = 'state' THEN
        SET v_retry = 0;
    ELSEIF v_email IS NULL THEN
        SET v_outcome = 'email';
    ELSEIF v_mailed >= p_mails THEN
        SET v_outcome = 'many';
        SET v_retry = GREATEST(TIMESTAMPDIFF(SECOND, v_now, v_since + INTERVAL 1 HOUR), 1);
    ELSE
        -- Of several accounts with one address that ask at once the second waits here, and then counts the first one's.
        SELECT user INTO v_owner FROM contacts WHERE kind = 'email' AND contact = v_email FOR UPDATE;
        SELECT IFNULL(SUM(codes.mailed), 0) INTO v_to_address
          FROM users JOIN codes ON codes.user = users.id
         WHERE users.email = v_email AND codes.since >= v_now - INTERVAL 1 HOUR;
        SET v_outcome = IF(v_to_address >= p_mails, 'quiet', 'ok');
        INSERT INTO codes (user, purpose, digest, expires, tries_left, mailed, since)
        VALUES (p_user, p_purpose, IF(v_outcome = 'quiet', REPEAT('-', 64), p_digest), v_now + INTERVAL p_seconds SECOND, p_tries, v_mailed + 1, v_since)
            ON DUPLICATE KEY UPDATE digest = VALUES(digest), expires = VALUES(expires), tries_left = VALUES(tries_left),
                                    mailed = VALUES(mailed), since = VALUES(since);
    END IF;
    COMMIT;
    SELECT v_outcome AS outcome, IF(v_outcome = 'ok', v_email, '') AS email, CAST(v_retry AS UNSIGNED) AS retry;
END//

DELIMITER ;
