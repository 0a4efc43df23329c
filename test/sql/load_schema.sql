-- The tables live in a private schema named talea; nothing appears in main.
SELECT name FROM pragma_table_list WHERE schema = 'talea' AND type = 'virtual' ORDER BY name;
SELECT count(*) FROM main.sqlite_schema;
SELECT file FROM pragma_database_list WHERE name = 'talea';
SELECT talea_version() LIKE '%0.1.0%', typeof(talea_version());
