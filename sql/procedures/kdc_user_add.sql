-- Makes an account and gives its number; 0 when the name is taken.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_user_add//

CREATE PROCEDURE kdc_user_add(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_hash VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin,
                              IN p_state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    DECLARE EXIT HANDLER FOR 1062 SELECT CAST(0 AS UNSIGNED) AS id;

    INSERT INTO users (name, hash, state, created) VALUES (p_name, p_hash, p_state, UTC_TIMESTAMP(3));
    SELECT LAST_INSERT_ID() AS id;
END//

DELIMITER ;
