-- Removes accounts that registered themselves p_days days ago or earlier and were never activated, p_max at most; their names are
-- free again. Gives how many. And forgets codes that were mailed for other ends and not used.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_unactivated_remove//

CREATE PROCEDURE kdc_unactivated_remove(IN p_days INT UNSIGNED, IN p_max INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_removed INT UNSIGNED DEFAULT 0;
    DECLARE v_id BIGINT UNSIGNED;
    DECLARE v_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    removing: WHILE v_removed < p_max DO
        -- As in admin_user_delete: one account at a time, with locks on gaps.
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        START TRANSACTION;
        SET v_id = NULL;
        SELECT users.id, users.name INTO v_id, v_name
          FROM codes JOIN users ON users.id = codes.user
         WHERE codes.purpose = 'activate' AND users.state = 'pending'
           AND users.created <= UTC_TIMESTAMP(3) - INTERVAL p_days DAY
         LIMIT 1
           FOR UPDATE SKIP LOCKED;
        IF v_id IS NULL THEN
            COMMIT;
            LEAVE removing;
        END IF;
        DELETE FROM conversations WHERE user_a = v_id;
        DELETE FROM conversations WHERE user_b = v_id;
        DELETE FROM users WHERE id = v_id;
        INSERT INTO deleted_users (user) VALUES (v_id);
        INSERT INTO audit (time, event, user, source, detail)
        VALUES (UTC_TIMESTAMP(3), 'account removed', v_name, 'kdcd', 'never activated');
        COMMIT;
        SET v_removed = v_removed + 1;
    END WHILE;

    DELETE FROM codes WHERE purpose = 'deactivate' AND since < UTC_TIMESTAMP(3) - INTERVAL 1 DAY LIMIT 1000;
    SELECT v_removed AS removed;
END//

DELIMITER ;
