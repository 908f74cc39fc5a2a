CREATE TABLE subscribers (mail varchar(60) PRIMARY KEY, since date NOT NULL);
INSERT INTO subscribers SELECT 'user' || i || '@example.org', date '2024-01-01' + i % 700 FROM generate_series(1, 600) i;
CREATE TABLE bounced (mail varchar(60) NOT NULL, at timestamptz NOT NULL, code numeric);
INSERT INTO bounced SELECT 'user' || i || '@example.org', timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 5 FROM generate_series(300, 20000) i;
CREATE VIEW hard AS SELECT mail AS address FROM bounced WHERE code > 2;
CREATE TABLE "Seats" ("Seat" uuid NOT NULL, "Row" int NOT NULL);
INSERT INTO "Seats" SELECT md5(i::text)::uuid, i % 40 FROM generate_series(1, 600) i;
CREATE TABLE "Sold" ("Seat" uuid NOT NULL, "Day" date NOT NULL) PARTITION BY RANGE ("Day");
CREATE TABLE "Sold 1" PARTITION OF "Sold" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Sold 2" PARTITION OF "Sold" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO "Sold" SELECT md5(i::text)::uuid, date '2026-01-01' + i % 59 FROM generate_series(300, 20000) i;
ANALYZE;
-- variant: varchars behind aliases
-- setting: work_mem=64kB
-- remedy: asking
SELECT s.since FROM subscribers AS s WHERE s.mail NOT IN (SELECT b.mail FROM bounced AS b);
-- variant: partitions with quoted names
-- setting: work_mem=64kB
-- remedy: asking
SELECT s."Row", count(*) FROM "Seats" s WHERE s."Seat" NOT IN (SELECT "Seat" FROM "Sold") GROUP BY s."Row";
-- variant: a view in the subquery
-- setting: work_mem=64kB
-- remedy: asking
SELECT count(*) FROM subscribers WHERE mail NOT IN (SELECT address FROM hard);
-- variant: a parameter inside
-- setting: work_mem=64kB
-- param: 2026-02-25
-- remedy: asking
SELECT "Row" FROM "Seats" WHERE "Seat" NOT IN (SELECT x."Seat" FROM "Sold" x WHERE x."Day" < $1) ORDER BY "Row";
-- variant: <> ALL
-- setting: work_mem=64kB
-- remedy: asking
SELECT since, mail FROM subscribers s WHERE since > '2024-02-01' AND mail <> ALL (SELECT mail FROM bounced WHERE code < 4);
