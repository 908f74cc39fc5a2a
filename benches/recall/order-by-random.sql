CREATE TABLE quotes (id uuid PRIMARY KEY, said date, words text, likes numeric);
INSERT INTO quotes SELECT md5(i::text)::uuid, date '1900-01-01' + i % 40000, repeat('word ', 10), i % 100 FROM generate_series(1, 150000) i;
CREATE VIEW liked AS SELECT id AS quote, words FROM quotes WHERE likes > 30;
CREATE TABLE "Prizes" ("Code" varchar(20), "Year" int) PARTITION BY LIST ("Year");
CREATE TABLE "Prizes 1" PARTITION OF "Prizes" FOR VALUES IN (2025);
CREATE TABLE "Prizes 2" PARTITION OF "Prizes" FOR VALUES IN (2026);
INSERT INTO "Prizes" SELECT 'code ' || i, 2025 + i % 2 FROM generate_series(1, 150000) i;
ANALYZE;
-- variant: a quote of the day
-- remedy: none
SELECT q.words FROM quotes AS q ORDER BY random() LIMIT 1;
-- variant: a view
-- remedy: none
SELECT quote FROM liked ORDER BY random() FETCH FIRST 3 ROWS ONLY;
-- variant: partitions with quoted names, a random uuid
-- remedy: none
SELECT p."Code" FROM "Prizes" p ORDER BY gen_random_uuid() LIMIT 10;
-- variant: a column of the list, by parameter
-- param: 20
-- remedy: none
SELECT id, random() AS dice FROM quotes WHERE said < '1980-01-01' ORDER BY dice DESC LIMIT $1;
-- variant: a CTE
-- remedy: none
WITH drawn AS (SELECT "Code" FROM "Prizes" WHERE "Year" = 2026 ORDER BY random() LIMIT 5) SELECT string_agg("Code", ', ') FROM drawn;
