-- The same password's hash at another cost. Not if the hash is another one by now: a password that was changed meanwhile
-- stays changed. It is the same account's epoch still: its tickets hold.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_rehash//

CREATE PROCEDURE kdc_user_rehash(IN p_id BIGINT UNSIGNED, IN p_from VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                                 IN p_to VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    UPDATE users SET hash = p_to, changed = changed WHERE id = p_id AND hash = p_from;
    SELECT EXISTS (SELECT 1 FROM users WHERE id = p_id AND hash = p_to) AS found;
END//

DELIMITER ;
