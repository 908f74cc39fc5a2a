-- $1: a process. The locks on the user's relations that it holds or waits for, and a row for anything else that it waits
-- for. On servers of ours alone.
SELECT CASE WHEN l.locktype = 'relation' AND l.relation >= 16384 THEN l.relation::text ELSE '0' END, l.mode, l.granted::text
FROM pg_catalog.pg_locks l
WHERE l.pid = $1::int AND (l.locktype = 'relation' AND l.relation >= 16384 OR NOT l.granted)
