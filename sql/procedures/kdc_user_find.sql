-- An account by its canonical name: one row or none. Times in milliseconds since 1970 UTC, 0: never.
-- An operator may put another procedure in this one's place that reads another application's users: with these columns,
-- numbers that never change, and states 'pending', 'active', 'locked' or 'disabled'. epoch is another number after every
-- change of the password or the state, as kdc_account_changes gives it; 0: no tickets for this account.
-- must_change: 1 when the password must be changed before anything else; expires: when the account ends, 0: never. These two
-- columns may be left out: then nothing must be changed, and no account ends by itself.
-- Numbers in our own tables users and deleted_users must not be among those of the other application.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_find//

CREATE PROCEDURE kdc_user_find(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    SELECT id, name, hash, state,
           TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) DIV 1000 AS created,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', last_login) DIV 1000, 0) AS last_login,
           CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS epoch,
           must_change,
           IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', expires) DIV 1000, 0) AS expires
      FROM users
     WHERE name = p_name;
END//

DELIMITER ;
