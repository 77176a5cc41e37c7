-- Accounts that were changed or deleted (epoch 0) at a time or later, in microseconds since 1970 UTC; and a row with user 0
-- that tells the time of asking.
-- Whoever puts another procedure in the place of kdc_user_find puts one in this one's place, too; or gives all accounts
-- the epoch 0 there.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_account_changes//

CREATE PROCEDURE kdc_account_changes(IN p_since BIGINT UNSIGNED)
    SQL SECURITY DEFINER
BEGIN
    DECLARE v_now BIGINT UNSIGNED DEFAULT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED);
    DECLARE v_since TIMESTAMP(6) DEFAULT FROM_UNIXTIME(GREATEST(p_since, 1000000) / 1000000);

    SELECT id AS user, CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS epoch,
           CAST(UNIX_TIMESTAMP(changed) * 1000000 AS UNSIGNED) AS changed
      FROM users
     WHERE changed >= v_since
     UNION ALL
    SELECT user, 0, CAST(UNIX_TIMESTAMP(deleted) * 1000000 AS UNSIGNED)
      FROM deleted_users
     WHERE deleted >= v_since
     UNION ALL
    SELECT 0, 0, v_now;
END//

DELIMITER ;
