CREATE TABLE passengers (id uuid PRIMARY KEY, seat bigint, code varchar(20), boarded date);
INSERT INTO passengers SELECT md5(i::text)::uuid, i, i::text, date '2026-01-01' + i % 300 FROM generate_series(1, 150000) i;
CREATE INDEX ON passengers (seat);
CREATE INDEX ON passengers (code);
CREATE VIEW boarding AS SELECT id AS "Pass", seat, boarded FROM passengers;
CREATE TABLE "Bags" ("Tag" int, "Kg" numeric) PARTITION BY HASH ("Tag");
CREATE TABLE "Bags 0" PARTITION OF "Bags" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Bags 1" PARTITION OF "Bags" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "Bags" SELECT i, i % 40 FROM generate_series(1, 150000) i;
CREATE INDEX ON "Bags" ("Tag");
CREATE TABLE upgrades (code bigint, class text);
INSERT INTO upgrades SELECT i * 1000, 'first' FROM generate_series(1, 20) i;
ANALYZE;
-- variant: a decimal and a bigint
-- remedy: asking
SELECT p.boarded FROM passengers AS p WHERE p.seat = 4711.0;
-- variant: a uuid as text, in a view, by parameter
-- param: 1679091c-5a88-0faf-6fb5-e6087eb1b2dc
-- remedy: asking
SELECT seat FROM boarding WHERE "Pass"::text = $1;
-- variant: partitions with quoted names
-- remedy: asking
SELECT b."Kg" FROM "Bags" b WHERE b."Tag"::text IN ('77', '78');
-- variant: text taken for a number
SELECT id FROM passengers WHERE code::bigint = 12345;
-- variant: a join of other types
SELECT u.class, p.boarded FROM upgrades u JOIN passengers p ON p.code::bigint = u.code;
