-- Events of the audit log with numbers between two others (0: from the first; to the last), of a user (also as the one whom a key
-- was issued to with somebody), of a kind, from a source
-- (a LIKE pattern that escapes with |), with an outcome ('failed': any but 'ok'), and of a time in
-- milliseconds since 1970 UTC (p_until excluded). '' and 0: any. In the order of their numbers, or the last ones first.
-- What isn't asked for isn't in the statement, so that user and event have their indexes: a server takes even a bound that leaves
-- nothing out (id > 0) for one that halves the table, and then reads all of it by its numbers. A time becomes a number first: all
-- indexes end with it, while that of the time is rarely taken for a page in the order of numbers. By source or outcome alone it
-- reads from one end until it has found enough.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_audit_list//

CREATE PROCEDURE admin_audit_list(IN p_after BIGINT UNSIGNED, IN p_before BIGINT UNSIGNED,
                                  IN p_user VARCHAR(64) CHARACTER SET utf8mb4, IN p_event VARCHAR(64) CHARACTER SET utf8mb4,
                                  IN p_source VARCHAR(64) CHARACTER SET utf8mb4,
                                  IN p_outcome VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                                  IN p_since BIGINT UNSIGNED, IN p_until BIGINT UNSIGNED,
                                  IN p_max INT UNSIGNED, IN p_backwards INT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_after BIGINT UNSIGNED DEFAULT p_after;
    DECLARE v_before BIGINT UNSIGNED DEFAULT p_before;
    DECLARE v_where LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_order VARCHAR(64) CHARACTER SET utf8mb4 DEFAULT CONCAT(' ORDER BY id', IF(p_backwards, ' DESC', ''), ' LIMIT ?');

    SET @kdc_user = p_user, @kdc_event = p_event, @kdc_source = p_source,
        @kdc_outcome = IF(p_outcome = 'failed', 'ok', p_outcome),
        @kdc_since = TIMESTAMPADD(MICROSECOND, p_since * 1000, '1970-01-01'),
        @kdc_until = TIMESTAMPADD(MICROSECOND, p_until * 1000, '1970-01-01'), @kdc_max = p_max;

    -- Only where the caller has no number yet: once for all the pages of one direction.
    IF p_since <> 0 AND p_after = 0 THEN
        SELECT IFNULL(MIN(id), 18446744073709551615) - 1 INTO v_after FROM audit WHERE time >= @kdc_since;
    END IF;
    IF p_until <> 0 AND p_before = 0 AND p_backwards THEN
        SELECT IFNULL(MAX(id), 0) + 1 INTO v_before FROM audit WHERE time < @kdc_until;
    END IF;
    SET @kdc_after = v_after, @kdc_before = v_before;

    -- Every value has its place in every statement, so that there is one list of them.
    SET v_where = CONCAT(
        IF(v_after = 0, '? IS NOT NULL', 'id > ?'),
        IF(v_before = 0, ' AND ? IS NOT NULL', ' AND id < ?'),
        IF(p_event = '', ' AND ? IS NOT NULL', ' AND event = ?'),
        IF(p_source = '', ' AND ? IS NOT NULL', ' AND source LIKE ? ESCAPE ''|'''),
        CASE p_outcome WHEN '' THEN ' AND ? IS NOT NULL' WHEN 'failed' THEN ' AND outcome <> ?' ELSE ' AND outcome = ?' END,
        IF(p_since = 0, ' AND ? IS NOT NULL', ' AND time >= ?'),
        IF(p_until = 0, ' AND ? IS NOT NULL', ' AND time < ?'));
    SET @kdc_sql = CONCAT(
        'SELECT id, CAST(TIMESTAMPDIFF(MICROSECOND, ''1970-01-01'', time) DIV 1000 AS UNSIGNED), event, user, IFNULL(peer, ''''),',
        ' source, outcome, actor, detail FROM ',
        IF(p_user = '',
           CONCAT('audit WHERE ? IS NOT NULL AND ', v_where),
           CONCAT('((SELECT * FROM audit WHERE user = ? AND ', v_where, v_order, ') UNION (SELECT * FROM audit WHERE peer = ? AND ',
                  v_where, v_order, ')) AS events')),
        v_order);
    PREPARE kdc_audit FROM @kdc_sql;
    IF p_user = '' THEN
        EXECUTE kdc_audit USING @kdc_user, @kdc_after, @kdc_before, @kdc_event, @kdc_source, @kdc_outcome, @kdc_since,
                                @kdc_until, @kdc_max;
    ELSE
        EXECUTE kdc_audit USING @kdc_user, @kdc_after, @kdc_before, @kdc_event, @kdc_source, @kdc_outcome, @kdc_since,
                                @kdc_until, @kdc_max,
                                @kdc_user, @kdc_after, @kdc_before, @kdc_event, @kdc_source, @kdc_outcome, @kdc_since,
                                @kdc_until, @kdc_max, @kdc_max;
    END IF;
    DEALLOCATE PREPARE kdc_audit;
END//

DELIMITER ;
