-- Where somebody has logged in from, the newest few of each user: what strangers guess at an account elsewhere doesn't keep its
-- user out there. A source is an IPv4 address or an IPv6 /64. `user` may be one of another application's, so there is no foreign
-- key.

CREATE TABLE IF NOT EXISTS login_sources (
    user BIGINT UNSIGNED NOT NULL,
    source BINARY(9) NOT NULL COMMENT '4 or 6, then the address, filled up with zeros, or the first half of it',
    last DATETIME NOT NULL COMMENT 'UTC; up to an hour before the last login from there',
    PRIMARY KEY (user, source)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
