CREATE TABLE tickets (id bigint PRIMARY KEY, opened timestamptz NOT NULL, state varchar(10), owner uuid, score numeric);
INSERT INTO tickets SELECT i, timestamptz '2025-01-01 00:00+00' + i * interval '5 minutes', CASE WHEN i < 8000 THEN 'lost' ELSE 'done' END,
  md5((CASE WHEN i < 400 THEN 1 ELSE i % 500 + 10 END)::text)::uuid, i % 1000 / 10.0
FROM generate_series(1, 200000) i;
CREATE INDEX tickets_opened ON tickets (opened);
CREATE VIEW lost AS SELECT id AS ticket, opened AS since FROM tickets WHERE state = 'lost';
CREATE TABLE "Jobs" ("Prio" int, "Due" date, "Queue" text) PARTITION BY RANGE ("Due");
CREATE TABLE "Jobs 1" PARTITION OF "Jobs" FOR VALUES FROM ('2026-01-01') TO ('2026-03-01');
CREATE TABLE "Jobs 2" PARTITION OF "Jobs" FOR VALUES FROM ('2026-03-01') TO ('2026-05-01');
INSERT INTO "Jobs" SELECT i, date '2026-01-01' + i % 118, CASE WHEN i < 5000 THEN 'mail' ELSE 'web' END FROM generate_series(1, 200000) i;
CREATE INDEX ON "Jobs" ("Prio");
CREATE TABLE people (id uuid PRIMARY KEY, name text);
INSERT INTO people SELECT md5(i::text)::uuid, 'Person ' || i FROM generate_series(1, 600) i;
ANALYZE;
-- variant: the newest ones that were lost
SELECT t.id, t.opened FROM tickets AS t WHERE t.state = 'lost' ORDER BY t.opened DESC LIMIT 20;
-- variant: a view
SELECT ticket FROM lost ORDER BY since DESC FETCH FIRST 5 ROWS ONLY;
-- variant: a uuid behind a parameter
-- param: c4ca4238-a0b9-2382-0dcc-509a6f75849b
-- param: 10
SELECT id, score FROM tickets WHERE owner = $1 ORDER BY opened DESC LIMIT $2;
-- variant: partitions with quoted names
SELECT j."Prio" FROM "Jobs" j WHERE j."Queue" = 'mail' ORDER BY j."Prio" DESC LIMIT 10;
-- variant: the largest key, without a LIMIT of one's own
WITH last AS (SELECT max(opened) AS at FROM tickets WHERE state = 'lost') SELECT at FROM last;
