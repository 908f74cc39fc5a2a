CREATE EXTENSION pg_trgm;
CREATE TABLE films (id uuid, title varchar(120), plot text, shown date);
INSERT INTO films SELECT md5(i::text)::uuid, 'Film ' || i || ' and its prequels', 'A plot about number ' || i || repeat(' and others', 20), date '1950-01-01' + i % 25000 FROM generate_series(1, 40000) i;
CREATE VIEW cinema AS SELECT title AS name, shown AS since, plot AS story FROM films;
CREATE TABLE "Pages" ("Url" text, "Site" int) PARTITION BY LIST ("Site");
CREATE TABLE "Pages 1" PARTITION OF "Pages" FOR VALUES IN (1);
CREATE TABLE "Pages 2" PARTITION OF "Pages" FOR VALUES IN (2);
INSERT INTO "Pages" SELECT 'https://example.org' || repeat('/and/so/on', 15) || '/page-' || i || '.html', i % 2 + 1 FROM generate_series(1, 40000) i;
ANALYZE;
-- variant: a piece of a title
SELECT f.id FROM films AS f WHERE f.title LIKE '%lm 31415 and%';
-- variant: a view, either case
SELECT name, since FROM cinema WHERE story ILIKE '%NUMBER 27182 AND%';
-- variant: partitions with quoted names, the end
SELECT p."Url" FROM "Pages" p WHERE p."Url" LIKE '%/page-31415.html';
-- variant: a parameter
-- param: %page-27182.%
SELECT count(*) FROM "Pages" WHERE "Url" LIKE $1;
-- variant: a regular expression in a CTE
WITH f AS (SELECT shown, title FROM films WHERE plot ~ 'number 2718[0-9] and') SELECT title FROM f ORDER BY shown;
