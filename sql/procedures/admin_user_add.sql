-- Makes an account and gives its number, or 0 and what is taken: its 'name', or (p_unique: where that may be one account's only)
-- 'email' or 'phone'. p_expires in milliseconds since 1970 UTC, 0: never; p_email and p_phone: '', or in order.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_add//

CREATE PROCEDURE admin_user_add(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                IN p_hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                                IN p_must_change BOOLEAN, IN p_expires BIGINT UNSIGNED,
                                IN p_email VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci,
                                IN p_phone VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin, IN p_unique BOOLEAN)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_id BIGINT UNSIGNED DEFAULT 0;
    DECLARE v_what VARCHAR(5) CHARACTER SET ascii COLLATE ascii_bin DEFAULT '';
    DECLARE v_taken BOOLEAN DEFAULT FALSE;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    BEGIN
        DECLARE CONTINUE HANDLER FOR 1062 SET v_what = 'name';
        INSERT INTO users (name, hash, state, created, must_change, expires, email, phone)
        VALUES (p_name, p_hash, 'active', UTC_TIMESTAMP(3), p_must_change,
                IF(p_expires = 0, NULL, TIMESTAMPADD(MICROSECOND, p_expires * 1000, '1970-01-01 00:00:00')),
                NULLIF(p_email, ''), NULLIF(p_phone, ''));
    END;
    IF v_what = '' THEN
        SET v_id = LAST_INSERT_ID();
        CALL admin_contact_claim(v_id, 'email', p_email, p_unique, v_taken);
        SET v_what = IF(v_taken, 'email', '');
    END IF;
    IF v_what = '' THEN
        CALL admin_contact_claim(v_id, 'phone', p_phone, p_unique, v_taken);
        SET v_what = IF(v_taken, 'phone', '');
    END IF;
    IF v_what = '' THEN
        COMMIT;
    ELSE
        ROLLBACK;
        SET v_id = 0;
    END IF;
    SELECT v_id AS id, v_what AS what;
END//

DELIMITER ;
