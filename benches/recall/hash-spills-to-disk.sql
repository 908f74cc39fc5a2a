CREATE TABLE patients (ssn varchar(12) PRIMARY KEY, born date NOT NULL, name text NOT NULL);
INSERT INTO patients SELECT 'P' || lpad(i::text, 10, '0'), date '1930-01-01' + i % 30000, 'Patient number ' || i
FROM generate_series(1, 50000) i;
CREATE TABLE visits (ssn varchar(12), visited timestamptz, fee numeric, letter text);
INSERT INTO visits SELECT 'P' || lpad((i::bigint * 7919 % 50000 + 1)::text, 10, '0'), timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 331, repeat(md5(i::text), 16)
FROM generate_series(1, 60000) i;
CREATE TABLE "Tokens" ("Token" uuid, "Owner" bigint) PARTITION BY HASH ("Token");
CREATE TABLE "Tokens 0" PARTITION OF "Tokens" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Tokens 1" PARTITION OF "Tokens" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "Tokens" SELECT md5(i::text)::uuid, i FROM generate_series(1, 50000) i;
CREATE TABLE uses (token uuid, at date, request varchar(600));
INSERT INTO uses SELECT md5((i % 55000)::text)::uuid, date '2026-01-01' + i % 90, repeat('r', 500) FROM generate_series(1, 60000) i;
CREATE VIEW seen AS SELECT ssn AS number, fee, letter FROM visits WHERE fee > 30;
ANALYZE;
-- variant: a varchar key behind aliases
-- setting: work_mem=512kB
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT v.letter, p.name FROM visits AS v JOIN patients AS p ON p.ssn = v.ssn;
-- variant: partitions and quoted names
-- setting: work_mem=256kB
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT count("Owner"), max(u.request) FROM uses u INNER JOIN "Tokens" t ON t."Token" = u.token;
-- variant: a view on the left
-- setting: work_mem=256kB
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT count(*), count(s.letter), max(p.born) FROM seen s LEFT JOIN patients p ON p.ssn = s.number;
-- variant: an anti join with a parameter
-- setting: work_mem=256kB
-- setting: enable_mergejoin=off
-- param: 40000
-- remedy: asking
SELECT u.request FROM uses u WHERE NOT EXISTS (SELECT FROM "Tokens" t WHERE t."Token" = u.token AND t."Owner" < $1);
-- variant: a full join of CTEs
-- setting: work_mem=256kB
-- setting: enable_mergejoin=off
-- remedy: asking
WITH a AS (SELECT ssn, letter FROM visits), b AS (SELECT ssn, name FROM patients WHERE born > '1940-01-01')
SELECT count(*), count(b.name), count(a.letter) FROM a FULL JOIN b USING (ssn);
