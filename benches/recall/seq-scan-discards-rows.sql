CREATE TABLE customers (id int PRIMARY KEY, email text, country text);
INSERT INTO customers SELECT i, 'user' || i || '@example.com', (ARRAY['de','fr','us','jp'])[i % 4 + 1]
FROM generate_series(1, 200000) i;
CREATE TABLE "Order Lines" ("Order No" bigint, "Article" uuid, amount numeric);
INSERT INTO "Order Lines" SELECT i / 3, md5((i % 40000)::text)::uuid, i % 977 FROM generate_series(1, 200000) i;
CREATE TABLE events (at timestamptz NOT NULL, device int, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO events SELECT timestamptz '2026-01-01 12:00+00' + i * interval '20 seconds', i % 5000, 'k' || i % 7
FROM generate_series(1, 200000) i;
CREATE VIEW german AS SELECT id AS customer, email AS address FROM customers WHERE country = 'de';
ANALYZE;
-- variant: an alias
SELECT c.id FROM customers AS c WHERE c.email = 'user777@example.com';
-- variant: a view
SELECT customer FROM german WHERE address = 'user779@example.com';
-- variant: quoted names, another type
SELECT sum(amount) FROM "Order Lines" WHERE "Article" = md5('77')::uuid;
-- variant: a partitioned table
SELECT count(*) FROM events e WHERE e.device = 1234;
-- variant: a parameter inside a CTE
-- param: user4711@example.com
WITH one AS MATERIALIZED (SELECT * FROM customers WHERE email = $1) SELECT * FROM one;
