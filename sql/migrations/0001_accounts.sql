-- Users. Times are UTC. Numbers are never used again, also after a user is deleted.

CREATE TABLE IF NOT EXISTS users (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'canonical: lower-case',
    hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'bcrypt',
    state ENUM('pending', 'active', 'locked', 'disabled') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created DATETIME(3) NOT NULL,
    last_login DATETIME(3) NULL,
    PRIMARY KEY (id),
    UNIQUE KEY users_name (name),
    CONSTRAINT users_name_canonical CHECK (name = LOWER(name) AND name <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
