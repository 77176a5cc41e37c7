-- How people can be reached; who has which contact, where each may be one account's only; invitations; and the codes that were
-- mailed. Of an invitation or a code there is a digest, never what was shown or mailed.

DELIMITER //

DROP PROCEDURE IF EXISTS migration_0008//

-- A statement that changes a table can't be rolled back: this one may have been done by a run that was cut short.
CREATE PROCEDURE migration_0008()
BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.columns
                    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'email') THEN
        ALTER TABLE users
            ADD COLUMN email VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci NULL,
            ADD COLUMN phone VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'E.164',
            ADD KEY users_email (email),
            ADD KEY users_phone (phone);
    END IF;
END//

CALL migration_0008()//

DROP PROCEDURE migration_0008//

DELIMITER ;

-- Whose a contact is: of several accounts, made while policy allowed that, the first. Its key lets nobody be the second while
-- policy doesn't.
CREATE TABLE IF NOT EXISTS contacts (
    kind ENUM('email', 'phone') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    contact VARCHAR(254) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    user BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (kind, contact),
    KEY contacts_user (user),
    CONSTRAINT contacts_user FOREIGN KEY (user) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS invitations (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-512/256 of the code',
    note VARCHAR(255) NOT NULL,
    made DATETIME(3) NOT NULL COMMENT 'UTC',
    made_by VARCHAR(128) NOT NULL,
    expires DATETIME(3) NULL COMMENT 'UTC; NULL: never',
    used DATETIME(3) NULL COMMENT 'UTC',
    used_by VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the name at the time',
    revoked DATETIME(3) NULL COMMENT 'UTC',
    PRIMARY KEY (id),
    UNIQUE KEY invitations_digest (digest)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- An account that registered itself and isn't active yet has a row with 'activate', from its first moment on.
CREATE TABLE IF NOT EXISTS codes (
    user BIGINT UNSIGNED NOT NULL,
    purpose ENUM('activate', 'deactivate') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
        COMMENT 'SHA-512/256 of the newest code, bound to user and purpose; empty: none yet',
    expires DATETIME(3) NOT NULL COMMENT 'UTC',
    tries_left TINYINT UNSIGNED NOT NULL,
    mailed SMALLINT UNSIGNED NOT NULL COMMENT 'codes, since:',
    since DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (user, purpose),
    KEY codes_purpose (purpose, since),
    CONSTRAINT codes_user FOREIGN KEY (user) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What kdc_register does now.
DROP PROCEDURE IF EXISTS kdc_user_add;
DELETE FROM schema_procedures WHERE name = 'kdc_user_add';
