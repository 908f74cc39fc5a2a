CREATE TABLE messages (id uuid PRIMARY KEY, sent timestamptz NOT NULL, room varchar(20) NOT NULL, body text);
INSERT INTO messages SELECT md5(i::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '20 seconds', 'room ' || i % 3, 'message ' || i FROM generate_series(1, 150000) i;
CREATE INDEX ON messages (sent);
CREATE VIEW lobby AS SELECT id AS message, sent AS at, body FROM messages WHERE room <> 'room 1';
CREATE TABLE "Ledger" ("Entry" bigint, "Booked" date, "Amount" numeric, PRIMARY KEY ("Entry")) PARTITION BY RANGE ("Entry");
CREATE TABLE "Ledger 1" PARTITION OF "Ledger" FOR VALUES FROM (0) TO (80000);
CREATE TABLE "Ledger 2" PARTITION OF "Ledger" FOR VALUES FROM (80000) TO (200000);
INSERT INTO "Ledger" SELECT i, date '2026-01-01' + i / 900, i % 331 FROM generate_series(1, 150000) i;
CREATE TABLE rooms (name varchar(20) PRIMARY KEY, title text);
INSERT INTO rooms SELECT 'room ' || i, 'Room number ' || i FROM generate_series(0, 2) i;
ANALYZE;
-- variant: a late page, backwards
-- remedy: none
SELECT m.id, m.body FROM messages AS m ORDER BY m.sent DESC LIMIT 50 OFFSET 60000;
-- variant: a view
-- remedy: none
SELECT * FROM lobby ORDER BY at OFFSET 60000 ROWS FETCH NEXT 25 ROWS ONLY;
-- variant: partitions with quoted names, by parameter
-- param: 100
-- param: 120000
-- remedy: none
SELECT l."Amount" FROM "Ledger" l ORDER BY l."Entry" LIMIT $1 OFFSET $2;
-- variant: a join above the order
-- remedy: none
SELECT m.id, r.title FROM messages m JOIN rooms r ON r.name = m.room ORDER BY m.sent LIMIT 20 OFFSET 90000;
-- variant: no order at all, in a CTE
-- remedy: none
WITH page AS (SELECT "Entry" FROM "Ledger" OFFSET 140000 LIMIT 10) SELECT min("Entry"), max("Entry") FROM page;
