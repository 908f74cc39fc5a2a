-- The number that a cluster is given when it is made; its standbys have the same. Not every role may ask.
SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c
