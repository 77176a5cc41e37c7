-- What kdc-admin has done to this database. Run before everything else, each time.

CREATE TABLE IF NOT EXISTS schema_migrations (
    number INT UNSIGNED NOT NULL,
    name VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    applied DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A procedure is made anew only when its file has changed since: one that an operator has put in its place stays until
-- then.
CREATE TABLE IF NOT EXISTS schema_procedures (
    name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    digest CHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-512 of the file',
    applied DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
