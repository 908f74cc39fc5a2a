CREATE TABLE authors (id uuid PRIMARY KEY, name text);
INSERT INTO authors SELECT md5(i::text)::uuid, 'author ' || i FROM generate_series(1, 2000) i;
CREATE TABLE books (isbn varchar(17) PRIMARY KEY, author uuid REFERENCES authors ON DELETE SET NULL);
INSERT INTO books SELECT '978-' || i, md5((i % 1500 + 1)::text)::uuid FROM generate_series(1, 40000) i;
CREATE TABLE "Lenders" ("No" bigint UNIQUE NOT NULL, "Since" date);
INSERT INTO "Lenders" SELECT i, date '2020-01-01' + i FROM generate_series(1, 2000) i;
CREATE TABLE "Loans" ("Lender" bigint REFERENCES "Lenders" ("No"), "Day" date) PARTITION BY RANGE ("Day");
CREATE TABLE "Loans 1" PARTITION OF "Loans" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Loans 2" PARTITION OF "Loans" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO "Loans" SELECT i % 1900 + 1, date '2026-01-01' + i % 59 FROM generate_series(1, 40000) i;
CREATE TABLE categories (code text PRIMARY KEY, parent text REFERENCES categories);
INSERT INTO categories SELECT 'c' || i, CASE WHEN i > 10 THEN 'c' || i % 10 + 1 END FROM generate_series(1, 30000) i;
CREATE TABLE plans (region int, tier varchar(10), price numeric, PRIMARY KEY (region, tier));
INSERT INTO plans SELECT i % 50, 't' || i / 50, i FROM generate_series(0, 1999) i;
CREATE TABLE contracts (no bigint, region int, tier varchar(10), FOREIGN KEY (region, tier) REFERENCES plans (region, tier) ON UPDATE CASCADE);
INSERT INTO contracts SELECT i, i % 50, 't' || i % 35 FROM generate_series(1, 40000) i;
CREATE VIEW old_lenders AS SELECT "No", "Since" FROM "Lenders" WHERE "No" > 1900;
ANALYZE;
-- variant: set to NULL, by uuid, with a parameter
-- param: author 19_%5
-- writes: yes
DELETE FROM authors a WHERE a.name LIKE $1;
-- variant: a view, and partitions with quoted names
-- writes: yes
DELETE FROM old_lenders WHERE "No" > 1970;
-- variant: a table that refers to itself
-- writes: yes
DELETE FROM categories WHERE code IN (SELECT 'c' || g FROM generate_series(500, 530) g);
-- variant: two columns, an update that cascades
-- writes: yes
UPDATE plans SET tier = tier || '+' WHERE tier IN ('t36', 't37');
-- variant: below a WITH
-- writes: yes
WITH gone AS (DELETE FROM authors WHERE name > 'author 195' AND name < 'author 197' RETURNING id) SELECT count(*) FROM gone;
