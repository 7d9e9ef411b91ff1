-- What the running role may do: read and write rows. Tables, partitions and the journal are the owner's.
GRANT USAGE ON SCHEMA bellhop TO bellhop_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bellhop TO bellhop_app;
REVOKE INSERT, UPDATE, DELETE ON partitioned_tables FROM bellhop_app;
REVOKE EXECUTE ON FUNCTION make_partitions(date), partition_by_day(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions(date) TO bellhop_app;
REVOKE INSERT, UPDATE, DELETE ON schema_versions FROM bellhop_app;
