-- Puts on record, in one transaction, whatever a KDC has gathered:
--   {"issues": [[user, user, name, name, source], ...], "events": [[user, age, event, name, source, detail, outcome, actor, origin], ...]}
-- issues: a key is issued for the conversation of these two (made when it is their first; who opened comes first). Of
-- several for the same two each gets an epoch of its own, in their order. One row for each: its number in the batch, the
-- conversation, the epoch; 0 and 0 for what can't be: with oneself, or with an account that was deleted.
-- events: for the audit log, so many milliseconds old; a user's number other than 0 makes it that account's last login.
-- Without an outcome it is 'ok', without an actor ''. origin: the source of that login, in hexadecimal (login_sources; the newest 16
-- of each user are kept); may be left out.
--
-- Rows are locked in the same order by all who call this: first accounts (those that nobody has; as in admin_user_delete), then
-- conversations by pair, without the gaps between them (READ COMMITTED). A conversation's row is locked from the first change to the commit,
-- so its epochs are in the order of commits.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_journal//

CREATE PROCEDURE kdc_journal(IN p_batch LONGTEXT CHARACTER SET utf8mb4)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE v_issues LONGTEXT CHARACTER SET utf8mb4 DEFAULT JSON_EXTRACT(p_batch, '$.issues');
    DECLARE v_events LONGTEXT CHARACTER SET utf8mb4 DEFAULT JSON_EXTRACT(p_batch, '$.events');
    DECLARE v_answers LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_free LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_old LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_new BIGINT UNSIGNED;
    DECLARE v_lock TINYINT UNSIGNED;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    CALL writable_check();
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;

    IF JSON_LENGTH(v_events) > 0 THEN
        -- An account that somebody is just changing keeps its older last login (the audit log has this one): nobody else's
        -- key waits for that change. (By the index: who reads all rows of a small table locks them, too.)
        SELECT JSON_ARRAYAGG(users.id) INTO v_free
          FROM JSON_TABLE(v_events, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$[0]')) AS e
               STRAIGHT_JOIN users FORCE INDEX (PRIMARY) ON users.id = e.user
         WHERE e.user <> 0
           FOR UPDATE SKIP LOCKED;

        UPDATE (SELECT e.user, MIN(e.age) AS age
                  FROM JSON_TABLE(v_events, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$[0]',
                                                            age BIGINT UNSIGNED PATH '$[1]')) AS e
                 WHERE e.user IN (SELECT f.user FROM JSON_TABLE(v_free, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$')) AS f)
                 GROUP BY e.user) AS logins
               STRAIGHT_JOIN users FORCE INDEX (PRIMARY) ON users.id = logins.user
           SET users.last_login = TIMESTAMPADD(MICROSECOND, -1000 * CAST(logins.age AS SIGNED), v_now),
               users.changed = users.changed;

        -- Hardly anybody comes from somewhere new: then nothing is written. Of our own users those that we have locked, so nobody
        -- is deleted meanwhile.
        INSERT INTO login_sources (user, source, last)
        SELECT DISTINCT e.user, UNHEX(e.origin), v_now
          FROM JSON_TABLE(v_events, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$[0]',
                                                    origin VARCHAR(18) CHARACTER SET ascii PATH '$[8]')) AS e
          LEFT JOIN login_sources AS s ON s.user = e.user AND s.source = UNHEX(e.origin)
         WHERE e.user <> 0 AND LENGTH(e.origin) = 18 AND (s.user IS NULL OR s.last < v_now - INTERVAL 1 HOUR)
           AND (e.user IN (SELECT f.user FROM JSON_TABLE(v_free, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$')) AS f)
                OR NOT EXISTS (SELECT 1 FROM users WHERE users.id = e.user)
                   AND NOT EXISTS (SELECT 1 FROM deleted_users WHERE deleted_users.user = e.user))
         ORDER BY 1, 2
            ON DUPLICATE KEY UPDATE last = VALUES(last);

        IF ROW_COUNT() > 0 THEN
            -- Found without a lock (in the DELETE itself it would take them): two KDCs at which the same people have just logged
            -- in would wait for each other's new rows.
            SELECT JSON_ARRAYAGG(CONCAT(ranked.user, ' ', HEX(ranked.source)) ORDER BY ranked.user, ranked.source) INTO v_old
              FROM (SELECT l.user, l.source, ROW_NUMBER() OVER (PARTITION BY l.user ORDER BY l.last DESC, l.source) AS place
                      FROM (SELECT DISTINCT e.user
                              FROM JSON_TABLE(v_events, '$[*]' COLUMNS (user BIGINT UNSIGNED PATH '$[0]')) AS e) AS those
                           STRAIGHT_JOIN login_sources AS l FORCE INDEX (PRIMARY) ON l.user = those.user) AS ranked
             WHERE ranked.place > 16;

            DELETE s
              FROM JSON_TABLE(v_old, '$[*]' COLUMNS (old VARCHAR(39) CHARACTER SET ascii PATH '$')) AS o
                   STRAIGHT_JOIN login_sources AS s FORCE INDEX (PRIMARY)
                   ON s.user = CAST(SUBSTRING_INDEX(o.old, ' ', 1) AS UNSIGNED) AND s.source = UNHEX(SUBSTRING_INDEX(o.old, ' ', -1));
        END IF;

        INSERT INTO audit (time, event, user, source, outcome, actor, detail)
        SELECT TIMESTAMPADD(MICROSECOND, -1000 * CAST(e.age AS SIGNED), v_now), e.event, e.name, e.source, e.outcome,
               e.actor, e.detail
          FROM JSON_TABLE(v_events, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                    age BIGINT UNSIGNED PATH '$[1]',
                                                    event VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[2]',
                                                    name VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[3]',
                                                    source VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[4]',
                                                    detail VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[5]',
                                                    outcome VARCHAR(32) CHARACTER SET ascii PATH '$[6]'
                                                        DEFAULT 'ok' ON EMPTY,
                                                    actor VARCHAR(128) CHARACTER SET utf8mb4 PATH '$[7]'
                                                        DEFAULT '' ON EMPTY)) AS e
         ORDER BY e.number;
    END IF;

    IF JSON_LENGTH(v_issues) > 0 THEN
        -- New conversations, with no epoch yet: one maker at a time. Two that find each other's row already there would wait
        -- for each other's gaps. (A SELECT in an IF or a SET would lock what it reads.)
        SELECT COUNT(*) INTO v_new
          FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (a BIGINT UNSIGNED PATH '$[0]', b BIGINT UNSIGNED PATH '$[1]')) AS i
          LEFT JOIN conversations AS c ON c.user_a = LEAST(i.a, i.b) AND c.user_b = GREATEST(i.a, i.b)
         WHERE c.id IS NULL;
        IF v_new > 0 THEN
            SELECT id INTO v_lock FROM conversations_new WHERE id = 1 FOR UPDATE;

            INSERT INTO conversations (user_a, user_b, epoch, last_issued)
            SELECT DISTINCT LEAST(i.a, i.b) AS low, GREATEST(i.a, i.b) AS high, 0, v_now
              FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (a BIGINT UNSIGNED PATH '$[0]',
                                                        b BIGINT UNSIGNED PATH '$[1]')) AS i
              LEFT JOIN conversations AS c ON c.user_a = LEAST(i.a, i.b) AND c.user_b = GREATEST(i.a, i.b)
              LEFT JOIN deleted_users AS gone_a ON gone_a.user = i.a
              LEFT JOIN deleted_users AS gone_b ON gone_b.user = i.b
             WHERE c.id IS NULL AND gone_a.user IS NULL AND gone_b.user IS NULL AND i.a <> i.b
             ORDER BY low, high;

            -- Whoever was just being deleted held us up in the statement above, which did not see it yet.
            DELETE c
              FROM (SELECT DISTINCT LEAST(i.a, i.b) AS low, GREATEST(i.a, i.b) AS high
                      FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (a BIGINT UNSIGNED PATH '$[0]',
                                                                b BIGINT UNSIGNED PATH '$[1]')) AS i) AS pairs
              JOIN conversations AS c ON c.user_a = pairs.low AND c.user_b = pairs.high AND c.epoch = 0
              LEFT JOIN deleted_users AS gone_a ON gone_a.user = pairs.low
              LEFT JOIN deleted_users AS gone_b ON gone_b.user = pairs.high
             WHERE gone_a.user IS NOT NULL OR gone_b.user IS NOT NULL;

            INSERT INTO conversation_members (conversation, user)
            SELECT c.id, IF(m.second, c.user_b, c.user_a)
              FROM (SELECT DISTINCT LEAST(i.a, i.b) AS low, GREATEST(i.a, i.b) AS high
                      FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (a BIGINT UNSIGNED PATH '$[0]',
                                                                b BIGINT UNSIGNED PATH '$[1]')) AS i) AS pairs
              JOIN conversations AS c ON c.user_a = pairs.low AND c.user_b = pairs.high AND c.epoch = 0
              JOIN (SELECT 0 AS second UNION ALL SELECT 1) AS m;
        END IF;

        UPDATE (SELECT LEAST(i.a, i.b) AS low, GREATEST(i.a, i.b) AS high, COUNT(*) AS number
                  FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (a BIGINT UNSIGNED PATH '$[0]',
                                                            b BIGINT UNSIGNED PATH '$[1]')) AS i
                 GROUP BY low, high
                 ORDER BY low, high) AS pairs
               STRAIGHT_JOIN conversations AS c ON c.user_a = pairs.low AND c.user_b = pairs.high
           SET c.epoch = c.epoch + pairs.number, c.last_issued = v_now;

        INSERT INTO audit (time, event, user, peer, source, detail)
        SELECT v_now, 'key issued', i.name_a, i.name_b, i.source,
               CONCAT('conversation ', c.id, ' epoch ',
                      c.epoch - COUNT(*) OVER (PARTITION BY c.id) + ROW_NUMBER() OVER (PARTITION BY c.id ORDER BY i.number),
                      ' with ', i.name_b)
          FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                    a BIGINT UNSIGNED PATH '$[0]',
                                                    b BIGINT UNSIGNED PATH '$[1]',
                                                    name_a VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[2]',
                                                    name_b VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[3]',
                                                    source VARCHAR(64) CHARACTER SET utf8mb4 PATH '$[4]')) AS i
          JOIN conversations AS c ON c.user_a = LEAST(i.a, i.b) AND c.user_b = GREATEST(i.a, i.b)
         ORDER BY i.number;
    END IF;

    -- Read before the commit: behind it another KDC may count on. Told behind it: all of the answer goes out at once. What
    -- failed there would be taken for not done, so it is as little as can be.
    SELECT JSON_ARRAYAGG(JSON_ARRAY(answer.number, answer.conversation, answer.epoch)) INTO v_answers
      FROM (SELECT i.number, IFNULL(c.id, 0) AS conversation,
                   IFNULL(c.epoch - COUNT(*) OVER (PARTITION BY c.id) +
                          ROW_NUMBER() OVER (PARTITION BY c.id ORDER BY i.number), 0) AS epoch
              FROM JSON_TABLE(v_issues, '$[*]' COLUMNS (number FOR ORDINALITY, a BIGINT UNSIGNED PATH '$[0]',
                                                        b BIGINT UNSIGNED PATH '$[1]')) AS i
              LEFT JOIN conversations AS c ON c.user_a = LEAST(i.a, i.b) AND c.user_b = GREATEST(i.a, i.b)) AS answer;
    COMMIT;
    SELECT answer.number, answer.conversation, answer.epoch
      FROM JSON_TABLE(v_answers, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$[0]', conversation BIGINT UNSIGNED PATH '$[1]',
                                                 epoch BIGINT UNSIGNED PATH '$[2]')) AS answer;
END//

DELIMITER ;
