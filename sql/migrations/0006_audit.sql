-- The audit log tells what came of it, who did it where that isn't the user, and with whom.
-- outcome: 'ok', or the reason why not, as docs/protocol.md names reasons. actor: empty where it is the user.

DELIMITER //

DROP PROCEDURE IF EXISTS migration_0006//

-- A statement that changes a table can't be rolled back: each may have been done by a run that was cut short.
CREATE PROCEDURE migration_0006()
BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.columns
                    WHERE table_schema = DATABASE() AND table_name = 'audit' AND column_name = 'outcome') THEN
        ALTER TABLE audit
            ADD COLUMN outcome VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'ok' AFTER source,
            ADD COLUMN actor VARCHAR(128) NOT NULL DEFAULT '' AFTER outcome,
            ADD COLUMN peer VARCHAR(64) NULL COMMENT 'whom a key was issued to besides the user' AFTER user;
    END IF;

    UPDATE audit SET event = 'login', outcome = detail, detail = '' WHERE event = 'login refused';
    UPDATE audit SET event = 'register', outcome = detail, detail = '' WHERE event = 'register refused';
    UPDATE audit SET actor = CONCAT('uid ', SUBSTRING_INDEX(detail, ' ', -1)), detail = ''
     WHERE source = 'kdc-admin' AND detail REGEXP '^by operating system user [0-9]+$';
    UPDATE audit SET peer = SUBSTRING_INDEX(detail, ' with ', -1)
     WHERE event = 'key issued' AND peer IS NULL AND detail LIKE '% with %';

    IF EXISTS (SELECT 1 FROM information_schema.statistics
                WHERE table_schema = DATABASE() AND table_name = 'audit' AND index_name = 'audit_user_time') THEN
        ALTER TABLE audit DROP KEY audit_user_time;
    END IF;
    -- Each of these indexes has the number of the row as its last part: what is found stands in order. There are none of source and
    -- outcome: every issued key would pay for them, and whoever searches by these names a time, too, or takes the newest.
    IF NOT EXISTS (SELECT 1 FROM information_schema.statistics
                    WHERE table_schema = DATABASE() AND table_name = 'audit' AND index_name = 'audit_user') THEN
        ALTER TABLE audit
            ADD KEY audit_user (user),
            ADD KEY audit_peer (peer),
            ADD KEY audit_event (event);
    END IF;
END//

CALL migration_0006()//

DROP PROCEDURE migration_0006//

DELIMITER ;
