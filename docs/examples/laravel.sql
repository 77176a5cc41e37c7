-- Another application's users: here Laravel's, in the table `users` of the schema `laravel`. Who logs in there logs in here, with
-- the same password. kdcd's account can still read nothing of it: it calls kdc_user_find, which reads with the rights of an
-- account of its own that nobody can log in by. docs/operations.md tells the rest.
--
-- Put your schemas' names in the place of `laravel` and `kdc_chat`. Then, as the database's administrator:
--   mariadb kdc_chat < laravel.sql
--   kdc-admin db migrate        (gives kdcd's account its right to the new procedure, and keeps the procedure)

DELIMITER //

-- Accounts are told apart by their numbers: there may be none of our own beside the application's. (What laravel-tickets.sql has
-- noted of deleted ones is the application's.)
DROP PROCEDURE IF EXISTS app_check//
CREATE PROCEDURE app_check()
BEGIN
    IF EXISTS (SELECT 1 FROM users) OR
       (EXISTS (SELECT 1 FROM deleted_users) AND
        NOT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'app_changes')) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kdc_chat has, or had, accounts of its own: take an empty database';
    END IF;
END//
CALL app_check()//
DROP PROCEDURE app_check//

DROP TRIGGER IF EXISTS users_are_elsewhere//
CREATE TRIGGER users_are_elsewhere BEFORE INSERT ON users FOR EACH ROW
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'accounts are made in the application, which kdc_user_find reads'//

-- ---- Who reads ----

CREATE USER IF NOT EXISTS 'kdc-app-reader'@'localhost' ACCOUNT LOCK//
GRANT SELECT (id, email, email_verified_at, password, created_at) ON `laravel`.users TO 'kdc-app-reader'@'localhost'//

-- ---- Tickets ----

-- What an account's epoch is: another number whenever its tickets are to be void. 0: it gets none. laravel-tickets.sql puts another
-- function in this one's place.
DROP FUNCTION IF EXISTS app_epoch//
CREATE FUNCTION app_epoch(p_id BIGINT UNSIGNED, p_hash VARCHAR(255) CHARACTER SET ascii) RETURNS BIGINT UNSIGNED
    DETERMINISTIC NO SQL SQL SECURITY INVOKER
    RETURN 0//
GRANT EXECUTE ON FUNCTION app_epoch TO 'kdc-app-reader'@'localhost'//

-- ---- The procedure ----

-- One logs in by the part of the mail address in front of the @. Where two who may log in share it, neither gets in: the
-- application's users could else take each other's names. Where all addresses have one domain it is simpler, and nobody outside of it
-- gets in; and simpler still with a column of names. Then these stand in the place of everything from WHERE to the end of `found`:
--   WHERE u.email = CONCAT(p_name, '@example.org')
--   WHERE u.username = p_name
-- Either way there must be an index, as Laravel makes for unique columns; and only a-z 0-9 . _ - can stand in a name.
--
-- Who hasn't confirmed the address is 'pending', and told so. An application that doesn't ask for that has TRUE in the place of
-- `u.email_verified_at IS NOT NULL`; one that locks accounts has another line, such as:
--   CASE WHEN u.banned_at IS NOT NULL THEN 'locked' WHEN u.deleted_at IS NOT NULL THEN 'disabled' ... END
DROP PROCEDURE IF EXISTS kdc_user_find//
CREATE DEFINER = 'kdc-app-reader'@'localhost' PROCEDURE kdc_user_find(IN p_name VARCHAR(32) CHARACTER SET ascii)
    READS SQL DATA SQL SECURITY DEFINER
BEGIN
    -- _ is LIKE's sign for any character.
    DECLARE v_pattern VARCHAR(80) CHARACTER SET ascii DEFAULT CONCAT(REPLACE(p_name, '_', '|_'), '@%');

    SELECT found.id, p_name AS name, found.hash, IF(found.verified, 'active', 'pending') AS state,
           found.created, 0 AS last_login, app_epoch(found.id, found.hash) AS epoch, 0 AS must_change, 0 AS expires
      FROM (SELECT u.id, u.password AS hash, u.email_verified_at IS NOT NULL AS verified,
                   IFNULL(UNIX_TIMESTAMP(u.created_at) * 1000, 0) AS created,
                   COUNT(*) OVER () AS users, SUM(u.email_verified_at IS NOT NULL) OVER () AS verified_users
              FROM `laravel`.users AS u
             WHERE u.email LIKE v_pattern ESCAPE '|'
                   -- The column's collation takes an accent, or a letter of another script, for the same.
               AND LENGTH(SUBSTRING_INDEX(u.email, '@', 1)) = LENGTH(p_name)
               AND CAST(LOWER(SUBSTRING_INDEX(u.email, '@', 1)) AS BINARY) = CAST(p_name AS BINARY)) AS found
     WHERE (found.verified AND found.verified_users = 1) OR (found.verified_users = 0 AND found.users = 1);
END//
GRANT EXECUTE ON PROCEDURE kdc_user_find TO 'kdc-app-reader'@'localhost'//

DELIMITER ;
