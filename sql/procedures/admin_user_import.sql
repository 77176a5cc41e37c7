-- New accounts by the thousand, all in one transaction of several calls:
--   'check'   changes nothing
--   'begin'   starts the transaction; p_rows and p_detail don't matter
--   'add'     adds those whose name is free, each with an entry in the audit log that has p_detail
--   'commit'  ends it
-- p_rows: [[name, hash, state, created, last_login], ...], times in milliseconds since 1970 UTC, null: created now, never
-- logged in. 'check' and 'add' give the number (from 1) of each row whose name is taken.
-- An error, or the connection's end, undoes everything.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_import//

CREATE PROCEDURE admin_user_import(IN p_step VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
                                   IN p_detail VARCHAR(255) CHARACTER SET utf8mb4,
                                   IN p_rows LONGTEXT CHARACTER SET utf8mb4)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_now DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        SET @kdc_admin_user_import = NULL;
        RESIGNAL;
    END;

    IF p_step = 'begin' THEN
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
        SELECT r.number
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
          JOIN users ON users.name = r.name COLLATE ascii_bin;
    END IF;

    IF p_step = 'add' THEN
        INSERT INTO audit (time, event, user, source, detail)
        SELECT v_now, 'user imported', r.name, 'kdc-admin', p_detail
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]')) AS r
          LEFT JOIN users ON users.name = r.name COLLATE ascii_bin
         WHERE users.id IS NULL
         ORDER BY r.number;

        INSERT INTO users (name, hash, state, created, last_login)
        SELECT r.name, r.hash, r.state,
               IFNULL(TIMESTAMPADD(MICROSECOND, r.created * 1000, '1970-01-01 00:00:00'), v_now),
               TIMESTAMPADD(MICROSECOND, r.last_login * 1000, '1970-01-01 00:00:00')
          FROM JSON_TABLE(p_rows, '$[*]' COLUMNS (number FOR ORDINALITY,
                                                  name VARCHAR(32) CHARACTER SET ascii PATH '$[0]',
                                                  hash VARCHAR(60) CHARACTER SET ascii PATH '$[1]',
                                                  state VARCHAR(8) CHARACTER SET ascii PATH '$[2]',
                                                  created BIGINT PATH '$[3]',
                                                  last_login BIGINT PATH '$[4]')) AS r
          LEFT JOIN users ON users.name = r.name COLLATE ascii_bin
         WHERE users.id IS NULL
         ORDER BY r.number;
    END IF;
END//

DELIMITER ;
