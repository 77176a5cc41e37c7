-- Another contact ('email' or 'phone'; '': none any more) for an account. One row: 'ok', 'none' (there is no such account) or
-- 'taken' (it may be one account's only, and is another's). The account's epoch stays.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_contact//

CREATE PROCEDURE admin_user_set_contact(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                        IN p_kind VARCHAR(5) CHARACTER SET ascii COLLATE ascii_bin,
                                        IN p_contact VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci,
                                        IN p_unique BOOLEAN)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_id BIGINT UNSIGNED;
    DECLARE v_taken BOOLEAN DEFAULT FALSE;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT id INTO v_id FROM users WHERE name = p_name FOR UPDATE;
    IF v_id IS NOT NULL THEN
        DELETE FROM contacts WHERE user = v_id AND kind = p_kind;
        CALL admin_contact_claim(v_id, p_kind, p_contact, p_unique, v_taken);
        UPDATE users
           SET email = IF(p_kind = 'email', NULLIF(p_contact, ''), email),
               phone = IF(p_kind = 'phone', NULLIF(p_contact, ''), phone),
               changed = changed
         WHERE id = v_id;
    END IF;
    IF v_taken THEN
        ROLLBACK;
    ELSE
        COMMIT;
    END IF;
    SELECT IF(v_id IS NULL, 'none', IF(v_taken, 'taken', 'ok')) AS outcome;
END//

DELIMITER ;
