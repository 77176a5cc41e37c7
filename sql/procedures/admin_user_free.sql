-- Unlocks or enables an account: active again, but not from p_other, which somebody did for another reason, perhaps this very
-- moment: 1, done; 0, there is no such account; 2, it is in that state, and stays so. Its epoch: as in admin_user_set_state.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_free//

CREATE PROCEDURE admin_user_free(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                 IN p_other VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_done INT;

    CALL writable_check();
    UPDATE users SET state = 'active', changed = SYSDATE(6) WHERE name = p_name AND state <> p_other;
    SET v_done = ROW_COUNT();
    SELECT IF(v_done > 0, 1, 2 * EXISTS (SELECT 1 FROM users WHERE name = p_name)) AS result;
END//

DELIMITER ;
