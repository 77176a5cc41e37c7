-- All that kdcd's account may do. kdc-admin puts the configured account in the place of 'kdc'@'localhost'.

GRANT EXECUTE ON PROCEDURE kdc_schema_version TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_find TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_add TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_rehash TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_logged_in TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_epoch_issue TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_audit TO 'kdc'@'localhost';
