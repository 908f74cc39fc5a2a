-- Transactions whose time is known, because ANALYZE wrote with them: seconds ago, and age in transactions.
SELECT pg_catalog.date_part('epoch', pg_catalog.now() - GREATEST(
    pg_catalog.pg_stat_get_last_analyze_time(s.starelid), pg_catalog.pg_stat_get_last_autoanalyze_time(s.starelid)))::text,
  pg_catalog.min(pg_catalog.age(s.xmin))::text
FROM pg_catalog.pg_statistic s
WHERE s.starelid >= 16384
GROUP BY s.starelid
HAVING GREATEST(pg_catalog.pg_stat_get_last_analyze_time(s.starelid), pg_catalog.pg_stat_get_last_autoanalyze_time(s.starelid))
  < pg_catalog.now() - interval '1 hour'
