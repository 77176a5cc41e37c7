-- All that kdcd's account may do. kdc-admin puts the configured account in the place of 'kdc'@'localhost'.

GRANT EXECUTE ON PROCEDURE kdc_schema_version TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_find TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_rehash TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_password TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_user_history TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_source_known TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_register TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_code_new TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_code_use TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_unactivated_remove TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_journal TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_account_changes TO 'kdc'@'localhost';
GRANT EXECUTE ON PROCEDURE kdc_audit_expire TO 'kdc'@'localhost';
