-- All that kdcd's account may do. kdc-admin puts the configured account in the place of 'kdc'@'localhost'.

GRANT EXECUTE ON PROCEDURE kdc_schema_version TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_find TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_add TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_rehash TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_journal TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_account_changes TO 'kdc'@'localhost';
