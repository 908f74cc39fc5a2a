CREATE FUNCTION ask(text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$ BEGIN PERFORM pg_sleep(0.0005); RETURN length($1); END $$;
CREATE TABLE mails (id uuid, sent timestamptz, subject varchar(200)) WITH (parallel_workers = 2, fillfactor = 10);
INSERT INTO mails SELECT md5(i::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '1 hour', 'subject ' || i || repeat(' re', 20) FROM generate_series(1, 240) i;
CREATE VIEW late AS SELECT id AS mail, subject FROM mails WHERE sent > '2026-01-03 00:00+00';
CREATE TABLE "Scans" ("Pallet" bigint, "Day" date, "Note" text) PARTITION BY RANGE ("Day");
CREATE TABLE "Scans 1" PARTITION OF "Scans" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') WITH (parallel_workers = 2, fillfactor = 10);
CREATE TABLE "Scans 2" PARTITION OF "Scans" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') WITH (parallel_workers = 2, fillfactor = 10);
INSERT INTO "Scans" SELECT i, date '2026-01-01' + i % 59, repeat('note ', 20) FROM generate_series(1, 240) i;
ANALYZE;
-- variant: an aggregate
-- setting: max_parallel_workers_per_gather=2
-- setting: max_parallel_workers=0
-- setting: parallel_setup_cost=0
-- setting: parallel_tuple_cost=0
-- setting: min_parallel_table_scan_size=0
-- remedy: asking
SELECT sum(ask(m.subject)) FROM mails AS m;
-- variant: a view
-- setting: max_parallel_workers_per_gather=2
-- setting: max_parallel_workers=0
-- setting: parallel_setup_cost=0
-- setting: parallel_tuple_cost=0
-- setting: min_parallel_table_scan_size=0
-- remedy: asking
SELECT mail FROM late WHERE ask(subject) > 11;
-- variant: partitions with quoted names
-- setting: max_parallel_workers_per_gather=2
-- setting: max_parallel_workers=0
-- setting: parallel_setup_cost=0
-- setting: parallel_tuple_cost=0
-- setting: min_parallel_table_scan_size=0
-- remedy: asking
SELECT s."Day", max(ask(s."Pallet"::text)) FROM "Scans" s GROUP BY s."Day";
-- variant: sorted, below a LIMIT
-- setting: max_parallel_workers_per_gather=2
-- setting: max_parallel_workers=0
-- setting: parallel_setup_cost=0
-- setting: parallel_tuple_cost=0
-- setting: min_parallel_table_scan_size=0
-- remedy: asking
SELECT m.id, ask(m.subject) AS answer FROM mails m ORDER BY answer DESC, m.id LIMIT 5;
-- variant: a join with a parameter
-- param: 2026-02-10
-- setting: max_parallel_workers_per_gather=2
-- setting: max_parallel_workers=0
-- setting: parallel_setup_cost=0
-- setting: parallel_tuple_cost=0
-- setting: min_parallel_table_scan_size=0
-- remedy: asking
SELECT count(*) FROM "Scans" s JOIN mails m ON m.id = md5(s."Pallet"::text)::uuid WHERE s."Day" < $1 AND ask(m.subject) > 3;
