CREATE TABLE accounts (id uuid PRIMARY KEY, holder varchar(60), opened date);
INSERT INTO accounts SELECT md5(i::text)::uuid, 'holder ' || i, date '2000-01-01' + i % 9000 FROM generate_series(1, 60000) i;
CREATE TABLE staging (account uuid, source text, state varchar(10), amount numeric);
CREATE TABLE bookings (account uuid, booked date, amount numeric);
INSERT INTO bookings SELECT md5(i::text)::uuid, date '2025-01-01' + i % 300, i FROM generate_series(1, 3000) i;
CREATE TABLE addresses (account uuid, country char(2), currency char(3), language text, phone varchar(5));
INSERT INTO addresses SELECT md5((i % 60000 + 1)::text)::uuid, 'c' || i % 8, 'cu' || i % 8, 'l' || i % 8, '+' || i % 8 FROM generate_series(1, 200000) i;
CREATE TABLE sales (account uuid, kind text, sold date);
INSERT INTO sales SELECT md5((i % 60000 + 1)::text)::uuid, CASE WHEN i % 10 = 0 THEN 'Refund' ELSE 'Sale' END, date '2026-01-01' + i % 300 FROM generate_series(1, 100000) i;
CREATE TABLE "Batch" ("Account" uuid, "Day" date, "Kind" text) PARTITION BY RANGE ("Day");
CREATE TABLE "Batch 1" PARTITION OF "Batch" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Batch 2" PARTITION OF "Batch" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE VIEW holders AS SELECT a.id, a.holder, d.country, d.currency, d.language, d.phone FROM addresses d JOIN accounts a ON a.id = d.account;
ANALYZE accounts, bookings, addresses, sales;
INSERT INTO staging SELECT md5(i::text)::uuid, 'csv', 'new', i FROM generate_series(1, 60000) i;
INSERT INTO bookings SELECT md5((i % 60000 + 1)::text)::uuid, date '2026-01-01' + i % 300, i FROM generate_series(1, 100000) i;
INSERT INTO "Batch" SELECT md5((i % 60000 + 1)::text)::uuid, date '2026-01-01' + i % 50, 'x' FROM generate_series(1, 100000) i;
-- variant: loaded a moment ago
SELECT count(a.holder) FROM staging AS s JOIN accounts AS a ON a.id = s.account WHERE s.source = 'csv' AND s.state = 'new';
-- variant: new days that the statistics do not know
-- param: 2026-01-01
SELECT count(a.holder), sum(b.amount) FROM bookings b JOIN accounts a ON a.id = b.account WHERE b.booked >= $1;
-- variant: a view over columns that go together
SELECT count(holder) FROM holders WHERE country = 'c3' AND currency = 'cu3' AND language = 'l3' AND phone = '+3';
-- variant: an expression in a CTE
-- since: 14
-- setting: random_page_cost=1.1
-- remedy: none
WITH sold AS /* its statistics are proven by --prove clone alone */ (SELECT account FROM sales WHERE upper(kind) = 'SALE') SELECT count(a.holder) FROM sold JOIN accounts a ON a.id = sold.account;
-- variant: partitions with quoted names, never analysed
SELECT count(a.holder) FROM "Batch" b JOIN accounts a ON a.id = b."Account" WHERE b."Kind" = 'x' AND b."Day" < '2026-01-25';
