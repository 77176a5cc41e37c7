-- Locks, unlocks, ... an account. Its epoch moves in any case, also where the state is that one already; to the time at
-- which the row is had, not to that of the call, which may have had to wait for it.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_set_state//

CREATE PROCEDURE admin_user_set_state(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                      IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    CALL writable_check();
    UPDATE users SET state = p_state, changed = SYSDATE(6) WHERE name = p_name;
    SELECT EXISTS (SELECT 1 FROM users WHERE name = p_name) AS found;
END//

DELIMITER ;
