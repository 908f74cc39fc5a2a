CREATE TABLE clients (id uuid PRIMARY KEY, name varchar(50) NOT NULL, region numeric);
INSERT INTO clients SELECT md5(i::text)::uuid, 'client ' || i, i % 7 FROM generate_series(1, 100) i;
CREATE TABLE bills (no bigint PRIMARY KEY, client uuid NOT NULL, billed date, total numeric);
INSERT INTO bills SELECT i, md5((i % 100 + 1)::text)::uuid, date '2025-01-01' + i % 400, i % 1009 FROM generate_series(1, 20000) i;
CREATE VIEW balance AS SELECT c.name AS client, (SELECT sum(b.total) FROM bills b WHERE b.client = c.id) AS owed FROM clients c;
CREATE TABLE "Routes" ("Code" varchar(10), "Depot" text, PRIMARY KEY ("Code"));
INSERT INTO "Routes" SELECT 'r' || i, 'depot ' || i % 9 FROM generate_series(1, 100) i;
CREATE TABLE "Stops" ("Route" varchar(10), "At" timestamptz) PARTITION BY RANGE ("At");
CREATE TABLE "Stops 1" PARTITION OF "Stops" FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE "Stops 2" PARTITION OF "Stops" FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-04-01 00:00+00');
INSERT INTO "Stops" SELECT 'r' || i % 100 + 1, timestamptz '2026-01-01 00:00+00' + i * interval '4 minutes' FROM generate_series(1, 20000) i;
CREATE TABLE accounts (no numeric PRIMARY KEY, owner text);
INSERT INTO accounts SELECT i, 'owner ' || i FROM generate_series(1, 10000) i;
CREATE TABLE moves (account numeric, moved timestamptz, amount numeric);
INSERT INTO moves SELECT i % 10000 + 1, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 501 FROM generate_series(1, 150000) i;
CREATE INDEX ON moves (account);
ANALYZE;
-- variant: the last bill of each client
-- remedy: asking
SELECT k.name, (SELECT max(b.billed) FROM bills AS b WHERE b.client = k.id) AS last FROM clients AS k;
-- variant: a count below, with a parameter
-- param: 2025-06-01
-- remedy: asking
SELECT k.id, (SELECT count(*) FROM bills b WHERE b.client = k.id AND b.billed > $1) AS recent FROM clients k;
-- variant: a view, helped by an index
SELECT b.client, b.owed FROM balance b;
-- variant: partitions with quoted names
-- remedy: asking
SELECT r."Depot", (SELECT count(*) FROM "Stops" s WHERE s."Route" = r."Code") AS "Stops" FROM "Routes" r;
-- variant: probes of an index that read everything
-- setting: enable_bitmapscan=off
-- remedy: asking
SELECT a.owner, (SELECT max(m.moved) FROM moves m WHERE m.account = a.no) AS latest FROM accounts a;
