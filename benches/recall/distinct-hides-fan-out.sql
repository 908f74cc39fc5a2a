CREATE TABLE teachers (id uuid PRIMARY KEY, name varchar(60) NOT NULL, subject text NOT NULL);
INSERT INTO teachers SELECT md5(i::text)::uuid, 'Teacher ' || i, 's' || i % 12 FROM generate_series(1, 2000) i;
CREATE TABLE lessons (no bigint PRIMARY KEY, teacher uuid NOT NULL, held date NOT NULL);
INSERT INTO lessons SELECT i, md5((i % 2000 + 1)::text)::uuid, date '2025-09-01' + i % 280 FROM generate_series(1, 150000) i;
CREATE VIEW teaching AS SELECT t.id, t.name, l.held FROM teachers t JOIN lessons l ON l.teacher = t.id;
CREATE TABLE "Tags" ("Tag" varchar(20) PRIMARY KEY, "Color" numeric NOT NULL);
INSERT INTO "Tags" SELECT 'tag ' || i, i % 5 FROM generate_series(1, 1000) i;
CREATE TABLE "Tagged" ("Tag" varchar(20) NOT NULL, "At" timestamptz NOT NULL) PARTITION BY RANGE ("At");
CREATE TABLE "Tagged 1" PARTITION OF "Tagged" FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE "Tagged 2" PARTITION OF "Tagged" FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-06-01 00:00+00');
INSERT INTO "Tagged" SELECT 'tag ' || i % 1000 + 1, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute' FROM generate_series(1, 150000) i;
ANALYZE;
-- variant: a uuid key behind aliases
-- remedy: asking
SELECT DISTINCT t.id, t.name FROM teachers AS t JOIN lessons AS l ON l.teacher = t.id;
-- variant: a view
-- remedy: none
SELECT DISTINCT v.name FROM teaching v WHERE v.held > '2025-09-10';
-- variant: partitions with quoted names
-- remedy: asking
SELECT DISTINCT t."Tag", t."Color" FROM "Tags" t INNER JOIN "Tagged" g ON g."Tag" = t."Tag";
-- variant: GROUP BY and a parameter
-- param: 2025-10-01
-- remedy: asking
SELECT t.id FROM lessons l, teachers t WHERE l.teacher = t.id AND l.held >= $1 GROUP BY t.id;
-- variant: in a CTE that is counted
-- remedy: asking
WITH busy AS (SELECT DISTINCT t.subject, t.name FROM teachers t JOIN lessons l ON l.teacher = t.id) SELECT subject, count(*) FROM busy GROUP BY subject;
