SELECT pg_catalog.current_setting('pgproof.probe', true)
