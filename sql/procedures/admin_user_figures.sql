-- What there is about an account: its conversations, the keys that were issued for them, logins that failed since the last one
-- that did not (p_last_login, milliseconds since 1970 UTC; 0: never), entries in the audit log under its name, and earlier
-- passwords that are kept.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_figures//

CREATE PROCEDURE admin_user_figures(IN p_id BIGINT UNSIGNED,
                                    IN p_name VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
                                    IN p_last_login BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_last_login DATETIME(3) DEFAULT TIMESTAMPADD(MICROSECOND, p_last_login * 1000, '1970-01-01 00:00:00');

    SELECT (SELECT COUNT(*) FROM conversation_members WHERE user = p_id) AS conversations,
           (SELECT CAST(IFNULL(SUM(c.epoch), 0) AS UNSIGNED)
              FROM conversation_members AS m
              JOIN conversations AS c ON c.id = m.conversation
             WHERE m.user = p_id) AS keys_issued,
           (SELECT COUNT(*) FROM audit
             WHERE user = p_name AND event = 'login' AND outcome NOT IN ('ok', 'must_change') AND time > v_last_login) AS failures,
           (SELECT COUNT(*) FROM audit WHERE user = p_name) AS audit,
           (SELECT COUNT(*) FROM password_history WHERE user = p_id) AS passwords;
END//

DELIMITER ;
