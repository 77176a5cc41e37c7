-- New accounts by the thousand, all in one transaction of several calls:
--   'check'   changes nothing
--   'begin'   starts the transaction; p_rows and p_actor don't matter
--   'add'     adds those whose name is free, each with an entry in the audit log, by p_actor
--   'commit'  ends it
-- p_rows: [[name, hash, state, created, last_login, must_change, expires, email, phone], ...], times in milliseconds since 1970 UTC, null:
-- created now, never logged in, never ends; must_change is 0 or 1. 'check' and 'add' give the number (from 1) of each row that isn't
-- added, and what of it is taken: its 'name', or (p_unique: where that may be one account's only) 'email' or 'phone'.
-- An error, or the connection's end, undoes everything.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_import//

CREATE PROCEDURE admin_user_import(IN p_step VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
                                   IN p_actor VARCHAR(128) CHARACTER SET utf8mb4,
                                   IN p_rows LONGTEXT CHARACTER SET utf8mb4, IN p_unique BOOLEAN)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE v_refused LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_contacts LONGTEXT CHARACTER SET utf8mb4;
    DECLARE v_others BIGINT UNSIGNED DEFAULT 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        SET @kdc_admin_user_import = NULL;
        RESIGNAL;
    END;

    IF p_step = 'begin' THEN
        CALL writable_check();
        ROLLBACK;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        START TRANSACTION;
        SET @kdc_admin_user_import = 1;
    ELSEIF p_step <> 'check' AND @kdc_admin_user_import IS NULL THEN
        -- On a new connection, or again after an error: what came before is undone, the rest alone would be a part.
        SIGNAL SQLSTATE '70100' SET MYSQL_ERRNO = 1927, MESSAGE_TEXT = 'the transaction was lost in the middle';
    END IF;

    IF p_step = 'commit' THEN
        SET @kdc_admin_user_import = NULL;
        COMMIT;
    ELSEIF p_step IN ('check', 'add') THEN
        SELECT JSON_ARRAYAGG(JSON_ARRAY(r.number, 'name')) INTO v_refused
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
          JOIN users ON users.name = r.name COLLATE ascii_bin;
        SET v_refused = IFNULL(v_refused, '[]');
        IF p_unique THEN
            -- Of several rows with the same contact the first has it.
            SELECT JSON_ARRAYAGG(JSON_ARRAY(x.number, 'email')) INTO v_contacts
              FROM (SELECT DISTINCT r.number
                      FROM (SELECT j.number, j.email, ROW_NUMBER() OVER (PARTITION BY LOWER(j.email) ORDER BY j.number) AS place
                              FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                                      email VARCHAR(254) CHARACTER SET ascii PATH '$[7]')) AS j
                             WHERE j.email IS NOT NULL) AS r
                      LEFT JOIN users FORCE INDEX (users_email) ON users.email = r.email
                     WHERE r.place > 1 OR users.id IS NOT NULL) AS x;
            SET v_refused = JSON_MERGE_PRESERVE(IFNULL(v_contacts, '[]'), v_refused);
            SELECT JSON_ARRAYAGG(JSON_ARRAY(x.number, 'phone')) INTO v_contacts
              FROM (SELECT DISTINCT r.number
                      FROM (SELECT j.number, j.phone, ROW_NUMBER() OVER (PARTITION BY j.phone ORDER BY j.number) AS place
                              FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                                      phone VARCHAR(16) CHARACTER SET ascii PATH '$[8]')) AS j
                             WHERE j.phone IS NOT NULL) AS r
                      LEFT JOIN users FORCE INDEX (users_phone) ON users.phone = r.phone COLLATE ascii_bin
                     WHERE r.place > 1 OR users.id IS NOT NULL) AS x;
            SET v_refused = JSON_MERGE_PRESERVE(IFNULL(v_contacts, '[]'), v_refused);
        END IF;
        SELECT x.number, x.what
          FROM JSON_TABLE(v_refused, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$[0]',
                                                     what VARCHAR(5) CHARACTER SET ascii PATH '$[1]')) AS x;
    END IF;

    IF p_step = 'add' THEN
        INSERT INTO audit (time, event, user, source, actor, detail)
        SELECT v_now, 'user imported', r.name, 'kdc-admin', p_actor, ''
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
          LEFT JOIN users ON users.name = r.name COLLATE ascii_bin
         WHERE users.id IS NULL
           AND (NOT p_unique OR r.number NOT IN (SELECT x.number
                                                   FROM JSON_TABLE(v_refused, '$[*]' COLUMNS (number BIGINT UNSIGNED
                                                                                              PATH '$[0]')) AS x))
         ORDER BY r.number;

        INSERT INTO users (name, hash, state, created, last_login, must_change, expires, email, phone)
        SELECT r.name, r.hash, r.state,
               IFNULL(TIMESTAMPADD(MICROSECOND, r.created * 1000, '1970-01-01 00:00:00'), v_now),
               TIMESTAMPADD(MICROSECOND, r.last_login * 1000, '1970-01-01 00:00:00'), r.must_change,
               TIMESTAMPADD(MICROSECOND, r.expires * 1000, '1970-01-01 00:00:00'), r.email, r.phone
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]',
                                                  hash VARCHAR(60) CHARACTER SET ascii PATH '$[1]',
                                                  state VARCHAR(8) CHARACTER SET ascii PATH '$[2]',
                                                  created BIGINT PATH '$[3]',
                                                  last_login BIGINT PATH '$[4]',
                                                  must_change BOOLEAN PATH '$[5]',
                                                  expires BIGINT PATH '$[6]',
                                                  email VARCHAR(254) CHARACTER SET ascii PATH '$[7]',
                                                  phone VARCHAR(16) CHARACTER SET ascii PATH '$[8]')) AS r
          LEFT JOIN users ON users.name = r.name COLLATE ascii_bin
         WHERE users.id IS NULL
           AND (NOT p_unique OR r.number NOT IN (SELECT x.number
                                                   FROM JSON_TABLE(v_refused, '$[*]' COLUMNS (number BIGINT UNSIGNED
                                                                                              PATH '$[0]')) AS x))
         ORDER BY r.number;
    END IF;

    -- Only contacts have one of these two characters in them.
    IF p_step = 'add' AND (INSTR(p_rows, '@') > 0 OR INSTR(p_rows, '+') > 0) THEN
        INSERT IGNORE INTO contacts (kind, contact, user)
        SELECT 'email', users.email, users.id
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
               STRAIGHT_JOIN users FORCE INDEX (users_name) ON users.name = r.name COLLATE ascii_bin
         WHERE users.email IS NOT NULL
         ORDER BY r.number;
        INSERT IGNORE INTO contacts (kind, contact, user)
        SELECT 'phone', users.phone, users.id
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
               STRAIGHT_JOIN users FORCE INDEX (users_name) ON users.name = r.name COLLATE ascii_bin
         WHERE users.phone IS NOT NULL
         ORDER BY r.number;
        IF p_unique THEN
            -- Somebody may have registered with one of them since we looked.
            SELECT COUNT(*) INTO v_others
              FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                      name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
                   STRAIGHT_JOIN users FORCE INDEX (users_name) ON users.name = r.name COLLATE ascii_bin
              LEFT JOIN contacts AS e ON e.kind = 'email' AND e.contact = users.email
              LEFT JOIN contacts AS p ON p.kind = 'phone' AND p.contact = users.phone
             WHERE r.number NOT IN (SELECT x.number
                                      FROM JSON_TABLE(v_refused, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$[0]')) AS x)
               AND ((users.email IS NOT NULL AND e.user <> users.id) OR (users.phone IS NOT NULL AND p.user <> users.id));
            IF v_others > 0 THEN
                SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'somebody has just taken one of the contacts: import again';
            END IF;
        END IF;
    END IF;
END//

DELIMITER ;
