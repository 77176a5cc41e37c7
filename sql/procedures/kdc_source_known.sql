-- Whether that user has logged in from that source before (hexadecimal, as in kdc_journal). Asked only about accounts and
-- sources under penalty.

DELIMITER //

DROP PROCEDURE IF EXISTS kdc_source_known//

CREATE PROCEDURE kdc_source_known(IN p_user BIGINT UNSIGNED, IN p_source VARCHAR(18) CHARACTER SET ascii COLLATE ascii_bin)
    SQL SECURITY DEFINER
BEGIN
    SELECT COUNT(*) AS known FROM login_sources WHERE user = p_user AND source = UNHEX(p_source);
END//

DELIMITER ;
