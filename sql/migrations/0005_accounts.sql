-- Accounts that must change their password when they log in next, and those that end at a time; the hashes of earlier
-- passwords, which aren't taken again.

DELIMITER //

DROP PROCEDURE IF EXISTS migration_0005//

-- A statement that changes a table can't be rolled back: this one may have been done by a run that was cut short.
CREATE PROCEDURE migration_0005()
BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.columns
                    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'must_change') THEN
        ALTER TABLE users
            ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'the password, at the next login',
            ADD COLUMN expires DATETIME(3) NULL COMMENT 'UTC; NULL: never';
    END IF;
END//

CALL migration_0005()//

DROP PROCEDURE migration_0005//

DELIMITER ;

CREATE TABLE IF NOT EXISTS password_history (
    user BIGINT UNSIGNED NOT NULL,
    number INT UNSIGNED NOT NULL COMMENT 'the greatest is the newest',
    hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'bcrypt',
    until DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (user, number),
    CONSTRAINT password_history_user FOREIGN KEY (user) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
