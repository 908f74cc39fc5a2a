-- Whether the role may read the planner's statistics themselves.
SELECT pg_catalog.has_table_privilege('pg_catalog.pg_statistic', 'SELECT')::text
