-- How somebody can be reached: one row or none; '': there is no such contact.

DELIMITER //

DROP PROCEDURE IF EXISTS admin_user_contacts//

CREATE PROCEDURE admin_user_contacts(IN p_name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    SELECT IFNULL(email, '') AS email, IFNULL(phone, '') AS phone FROM users WHERE name = p_name;
END//

DELIMITER ;
