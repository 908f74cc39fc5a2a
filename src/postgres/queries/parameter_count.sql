SELECT pg_catalog.cardinality(parameter_types)::text FROM pg_catalog.pg_prepared_statements WHERE name = 'pgproof_q'
