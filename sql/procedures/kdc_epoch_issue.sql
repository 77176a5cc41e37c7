-- Records that a key is issued for the conversation of two users: its number and the new epoch. The row of the
-- conversation is locked from the first change to the commit, so that of any number of calls at once each gets an epoch
-- of its own, in the order of their commits. Of two first openings at once one inserts, and the other finds the row and
-- counts on.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_epoch_issue//

CREATE PROCEDURE kdc_epoch_issue(IN p_user_a BIGINT UNSIGNED, IN p_user_b BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_low BIGINT UNSIGNED DEFAULT LEAST(p_user_a, p_user_b);
    DECLARE v_high BIGINT UNSIGNED DEFAULT GREATEST(p_user_a, p_user_b);
    DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE v_id BIGINT UNSIGNED;
    DECLARE v_epoch INT UNSIGNED;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    -- Looked up first, without a lock, because an INSERT that finds its row already there uses up a number all the
    -- same.
    SET v_id = (SELECT id FROM conversations WHERE user_a = v_low AND user_b = v_high);

    START TRANSACTION;
    IF v_id IS NULL THEN
        INSERT INTO conversations (user_a, user_b, epoch, last_issued) VALUES (v_low, v_high, 1, v_now)
            ON DUPLICATE KEY UPDATE epoch = epoch + 1, last_issued = v_now;
    ELSE
        UPDATE conversations SET epoch = epoch + 1, last_issued = v_now WHERE id = v_id;
    END IF;
    SELECT id, epoch INTO v_id, v_epoch FROM conversations WHERE user_a = v_low AND user_b = v_high FOR UPDATE;
    IF v_epoch = 1 THEN
        INSERT INTO conversation_members (conversation, user) VALUES (v_id, v_low), (v_id, v_high);
    END IF;
    COMMIT;

    -- No row: one of the two was deleted meanwhile.
    SELECT v_id AS conversation, v_epoch AS epoch FROM DUAL WHERE v_epoch IS NOT NULL;
END//

DELIMITER ;
