-- Ten thousand tables, fifty thousand indexes, ten thousand foreign keys and as many sequences; a few rows in each.
-- psql -v tables=10000 -f schema.sql: each \gexec line builds a share, so that no transaction holds too many locks.
\set QUIET 1
SET client_min_messages = warning;
SELECT format('CREATE SCHEMA s%s', s) FROM generate_series(0, 9) s \gexec
SELECT format(
  'CREATE TABLE s%1$s.t%2$s (id serial PRIMARY KEY, parent_id int REFERENCES s%1$s.t%2$s, account int NOT NULL,
     name text, created_at timestamptz NOT NULL DEFAULT now(), total numeric);
   INSERT INTO s%1$s.t%2$s (account, name, total) SELECT i, ''name '' || i, i FROM generate_series(1, 20) i;
   CREATE INDEX ON s%1$s.t%2$s (account, created_at); CREATE INDEX ON s%1$s.t%2$s (%3$s);
   CREATE INDEX ON s%1$s.t%2$s (created_at DESC) WHERE total > 0; CREATE INDEX ON s%1$s.t%2$s (lower(name))',
  n % 10, n, CASE n % 50 WHEN 0 THEN 'account' ELSE 'total' END)
FROM generate_series(1, :tables) n \gexec
ANALYZE;
