-- A contact ('email' or 'phone'; '': none) for an account, within the caller's transaction. p_taken: it must be one account's
-- only (p_unique), and is another's: then the caller undoes everything. Of two who claim the same at once the second waits for
-- the first. Also called by kdc_register.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_contact_claim//

CREATE PROCEDURE admin_contact_claim(IN p_user BIGINT UNSIGNED,
                                     IN p_kind VARCHAR(5) CHARACTER SET ascii COLLATE ascii_bin,
                                     IN p_contact VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci,
                                     IN p_unique BOOLEAN, OUT p_taken BOOLEAN)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_owner BIGINT UNSIGNED;

    SET p_taken = FALSE;
    IF p_contact <> '' THEN
        INSERT INTO contacts (kind, contact, user) VALUES (p_kind, p_contact, p_user)
            ON DUPLICATE KEY UPDATE contacts.user = contacts.user;
    END IF;
    IF p_contact <> '' AND p_unique THEN
        SELECT user INTO v_owner FROM contacts WHERE kind = p_kind AND contact = p_contact FOR UPDATE;
        -- Not only its first owner: those that shared it while policy allowed that have it, too.
        IF p_kind = 'email' THEN
            SET p_taken = v_owner <> p_user OR EXISTS (SELECT 1 FROM users WHERE email = p_contact AND id <> p_user);
        ELSE
            SET p_taken = v_owner <> p_user OR EXISTS (SELECT 1 FROM users WHERE phone = p_contact AND id <> p_user);
        END IF;
    END IF;
END//

DELIMITER ;
