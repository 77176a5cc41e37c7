-- The audit log: who did what from where. Names are kept as text: they stay when the user is deleted.

CREATE TABLE IF NOT EXISTS audit (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    time DATETIME(3) NOT NULL COMMENT 'UTC',
    event VARCHAR(64) NOT NULL,
    user VARCHAR(64) NOT NULL,
    source VARCHAR(64) NOT NULL,
    detail VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    KEY audit_time (time),
    KEY audit_user_time (user, time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
