-- Five thousand statements for pg_stat_statements to count, on the tables that schema.sql makes; each is another one to
-- the server, for it reads another table. The server needs shared_preload_libraries = 'pg_stat_statements' and
-- pg_stat_statements.max = 10000.
--
--   psql -v tables=10000 -f benches/scale/schema.sql && psql -v statements=5000 -f benches/scale/statements.sql
--   pgproof top --no-explain -v
\set QUIET 1
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
SELECT pg_stat_statements_reset() \g /dev/null
SELECT format('SELECT name, total FROM s%s.t%s WHERE account = 5 AND total > 1', n % 10, n)
FROM generate_series(1, :statements) n \gexec
