-- What the database has, in lines that can be compared: kdc-admin db check asks this, and sql/schema.txt is its answer in a fresh
-- database. Texts as MariaDB and MySQL both have them.

SELECT 'table' AS kind, table_name AS name, CONCAT(LOWER(engine), ' ', table_collation) AS fact
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
 UNION ALL
SELECT 'column', CONCAT(table_name, '.', column_name),
       CONCAT_WS(' ', REGEXP_REPLACE(LOWER(column_type), 'int[(][0-9]+[)]', 'int'), collation_name,
                 IF(is_nullable = 'YES', 'null', 'not null'),
                 IF(column_default IS NULL OR column_default = 'NULL', NULL,
                    CONCAT('default "', REPLACE(LOWER(column_default), '''', ''), '"')),
                 NULLIF(TRIM(REPLACE(REPLACE(LOWER(extra), 'default_generated', ''), ' on update', 'on update')), ''))
  FROM information_schema.columns
 WHERE table_schema = DATABASE()
 UNION ALL
SELECT 'index', CONCAT(table_name, '.', index_name),
       CONCAT(IF(MIN(non_unique) = 0, 'unique ', ''), GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '))
  FROM information_schema.statistics
 WHERE table_schema = DATABASE()
 GROUP BY table_name, index_name
 UNION ALL
SELECT 'constraint', CONCAT(table_name, '.', constraint_name), LOWER(constraint_type)
  FROM information_schema.table_constraints
 WHERE table_schema = DATABASE() AND constraint_type IN ('CHECK', 'FOREIGN KEY');
