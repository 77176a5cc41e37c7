-- After laravel.sql, and only if you want it: people come back after a lost connection or a restart of kdcd without typing their
-- passwords, by tickets. A ticket must be void once its account is changed or deleted, and kdcd asks about once a second which
-- were. The application's table can't tell that: its updated_at knows seconds only, has no index, and a row that is gone has none.
-- So two triggers note it. They cost the application's changes of passwords, addresses and deletions one more row each; nothing else
-- of it changes.
--
-- Put your schemas' names in the place of `laravel` and `kdc_chat`. Then, as the database's administrator:
--   mariadb kdc_chat < laravel-tickets.sql
--   kdc-admin db migrate
--
-- A trigger goes with its table: run this again when the application's table was made anew (also from a backup). And delete kdcd's
-- ticket file then, with kdcd stopped: what changed meanwhile isn't known here.

DELIMITER //

CREATE TABLE IF NOT EXISTS app_changes (
    user BIGINT UNSIGNED NOT NULL,
    changed TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (user),
    KEY app_changes_changed (changed)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin//

GRANT SELECT, INSERT, UPDATE ON app_changes TO 'kdc-app-reader'@'localhost'//
GRANT SELECT, INSERT ON deleted_users TO 'kdc-app-reader'@'localhost'//
GRANT TRIGGER ON `laravel`.users TO 'kdc-app-reader'@'localhost'//

DROP TRIGGER IF EXISTS `laravel`.kdc_users_changed//
CREATE DEFINER = 'kdc-app-reader'@'localhost' TRIGGER `laravel`.kdc_users_changed AFTER UPDATE ON `laravel`.users FOR EACH ROW
BEGIN
    -- Whatever kdc_user_find gives state and name from stands here.
    IF NOT (CAST(OLD.password AS BINARY) <=> CAST(NEW.password AS BINARY) AND OLD.email <=> NEW.email AND
            OLD.email_verified_at <=> NEW.email_verified_at) THEN
        -- Behind whatever held this statement up: who looked meanwhile has looked at an earlier time.
        INSERT INTO `kdc_chat`.app_changes (user, changed) VALUES (NEW.id, SYSDATE(6))
            ON DUPLICATE KEY UPDATE changed = SYSDATE(6);
    END IF;
END//

DROP TRIGGER IF EXISTS `laravel`.kdc_users_deleted//
CREATE DEFINER = 'kdc-app-reader'@'localhost' TRIGGER `laravel`.kdc_users_deleted AFTER DELETE ON `laravel`.users FOR EACH ROW
    INSERT IGNORE INTO `kdc_chat`.deleted_users (user) VALUES (OLD.id)//

-- From the password, since two changes may bear the same time.
DROP FUNCTION IF EXISTS app_epoch//
CREATE FUNCTION app_epoch(p_id BIGINT UNSIGNED, p_hash VARCHAR(255) CHARACTER SET ascii) RETURNS BIGINT UNSIGNED
    READS SQL DATA SQL SECURITY INVOKER
    RETURN CAST(CONV(LEFT(SHA2(CONCAT(p_hash, IFNULL((SELECT CONCAT(' ', changed) FROM app_changes WHERE user = p_id), '')),
                               256), 15), 16, 10) AS UNSIGNED) + 1//
GRANT EXECUTE ON FUNCTION app_epoch TO 'kdc-app-reader'@'localhost'//

-- Accounts that were changed or deleted (epoch 0) at a time or later, in microseconds since 1970 UTC; and a row with user 0 that tells
-- the time of asking.
DROP PROCEDURE IF EXISTS kdc_account_changes//
CREATE DEFINER = 'kdc-app-reader'@'localhost' PROCEDURE kdc_account_changes(IN p_since BIGINT UNSIGNED)
    READS SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE v_now BIGINT UNSIGNED DEFAULT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED);
    DECLARE v_since TIMESTAMP(6) DEFAULT FROM_UNIXTIME(GREATEST(p_since, 1000000) / 1000000);

    SELECT c.user, app_epoch(u.id, u.password) AS epoch, CAST(UNIX_TIMESTAMP(c.changed) * 1000000 AS UNSIGNED) AS changed
      FROM app_changes AS c
      JOIN `laravel`.users AS u ON u.id = c.user
     WHERE c.changed >= v_since
     UNION ALL
    SELECT user, 0, CAST(UNIX_TIMESTAMP(deleted) * 1000000 AS UNSIGNED)
      FROM deleted_users
     WHERE deleted >= v_since
     UNION ALL
    SELECT 0, 0, v_now;
END//
GRANT EXECUTE ON PROCEDURE kdc_account_changes TO 'kdc-app-reader'@'localhost'//

DELIMITER ;
