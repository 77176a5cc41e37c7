-- That a key was issued, to whom and when: never the key. Users' numbers are those that kdc_user_find gives, which may
-- come from another application's table: therefore no foreign keys to users.

CREATE TABLE IF NOT EXISTS conversations (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_a BIGINT UNSIGNED NOT NULL COMMENT 'the lower of the two numbers',
    user_b BIGINT UNSIGNED NOT NULL,
    epoch INT UNSIGNED NOT NULL COMMENT 'of the key that was issued last',
    last_issued DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (id),
    UNIQUE KEY conversations_pair (user_a, user_b),
    KEY conversations_user_b (user_b),
    CONSTRAINT conversations_order CHECK (user_a < user_b)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS conversation_members (
    conversation BIGINT UNSIGNED NOT NULL,
    user BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (conversation, user),
    KEY conversation_members_user (user),
    CONSTRAINT conversation_members_conversation FOREIGN KEY (conversation)
        REFERENCES conversations (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
