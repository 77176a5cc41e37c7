-- When an account was changed last: its epoch. It moves by itself with every change of a row, whoever makes it, but where a
-- statement keeps it (last_login, another hash of the same password). And which accounts were deleted, and when.

DELIMITER //

DROP PROCEDURE IF EXISTS migration_0004//

-- A statement that changes a table can't be rolled back: this one may have been done by a run that was cut short.
CREATE PROCEDURE migration_0004()
BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.columns
                    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'changed') THEN
        ALTER TABLE users
            ADD COLUMN changed TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
            ADD KEY users_changed (changed);
    END IF;
END//

CALL migration_0004()//

DROP PROCEDURE migration_0004//

DELIMITER ;

CREATE TABLE IF NOT EXISTS deleted_users (
    user BIGINT UNSIGNED NOT NULL,
    deleted TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (user),
    KEY deleted_users_deleted (deleted)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whoever makes new conversations locks its one row first.
CREATE TABLE IF NOT EXISTS conversations_new (
    id TINYINT UNSIGNED NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO conversations_new (id) VALUES (1);

-- What kdc_journal does now, all in one.
DROP PROCEDURE IF EXISTS kdc_epoch_issue;
DROP PROCEDURE IF EXISTS kdc_audit;
DROP PROCEDURE IF EXISTS kdc_user_logged_in;
DELETE FROM schema_procedures WHERE name IN ('kdc_epoch_issue', 'kdc_audit', 'kdc_user_logged_in');
