-- Deletes an account and what is known of its conversations, and notes that it is gone. The audit log stays.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_delete//

CREATE PROCEDURE admin_user_delete(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_id BIGINT UNSIGNED;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    -- With locks on gaps: nobody makes a conversation with the account before it is known to be gone.
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
    START TRANSACTION;
    SET v_id = (SELECT id FROM users WHERE name = p_name FOR UPDATE);
    DELETE FROM conversations WHERE user_a = v_id;
    DELETE FROM conversations WHERE user_b = v_id;
    DELETE FROM users WHERE id = v_id;
    DELETE FROM login_sources WHERE user = v_id;
    IF v_id IS NOT NULL THEN
        INSERT INTO deleted_users (user) VALUES (v_id);
    END IF;
    COMMIT;
    SELECT v_id IS NOT NULL AS found;
END//

DELIMITER ;
