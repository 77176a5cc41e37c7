-- Makes an account for somebody who registers: 'active', or 'pending' until a code is given. One row: its number, why it was not
-- made ('': it was; 'invitation', 'name', 'email', 'phone') and its epoch.
-- p_email and p_phone: '', or what the KDC has found in order; p_unique: they may be no other account's. p_invitation: '', or
-- the digest of a code, which is used up by this, by one account only.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_register//

CREATE PROCEDURE kdc_register(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_email VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci,
                              IN p_phone VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin, IN p_unique BOOLEAN,
                              IN p_invitation VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_id BIGINT UNSIGNED DEFAULT 0;
    DECLARE v_refused VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin DEFAULT '';
    DECLARE v_taken BOOLEAN DEFAULT FALSE;
    DECLARE v_epoch BIGINT UNSIGNED DEFAULT 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;

    IF p_invitation <> '' THEN
        -- Of two who come with the same one at once the second waits here, and then finds it used.
        UPDATE invitations SET used = UTC_TIMESTAMP(3), used_by = p_name
         WHERE digest = p_invitation AND used IS NULL AND revoked IS NULL
           AND (expires IS NULL OR expires > UTC_TIMESTAMP(3));
        IF ROW_COUNT() = 0 THEN
            SET v_refused = 'invitation';
        END IF;
    END IF;

    IF v_refused = '' THEN
        BEGIN
            DECLARE CONTINUE HANDLER FOR 1062 SET v_refused = 'name';
            INSERT INTO users (name, hash, state, created, email, phone)
            VALUES (p_name, p_hash, p_state, UTC_TIMESTAMP(3), NULLIF(p_email, ''), NULLIF(p_phone, ''));
        END;
    END IF;
    IF v_refused = '' THEN
        SET v_id = LAST_INSERT_ID();
        CALL admin_contact_claim(v_id, 'email', p_email, p_unique, v_taken);
        SET v_refused = IF(v_taken, 'email', '');
    END IF;
    IF v_refused = '' THEN
        CALL admin_contact_claim(v_id, 'phone', p_phone, p_unique, v_taken);
        SET v_refused = IF(v_taken, 'phone', '');
    END IF;
    IF v_refused = '' AND p_state = 'pending' THEN
        INSERT INTO codes (user, purpose, digest, expires, tries_left, mailed, since)
        VALUES (v_id, 'activate', '', UTC_TIMESTAMP(3), 0, 0, UTC_TIMESTAMP(3));
    END IF;

    IF v_refused = '' THEN
        SELECT CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) INTO v_epoch FROM users WHERE id = v_id;
        COMMIT;
    ELSE
        ROLLBACK;
        SET v_id = 0;
    END IF;
    SELECT v_id AS id, v_refused AS refused, v_epoch AS epoch;
END//

DELIMITER ;
