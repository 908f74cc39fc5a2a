CREATE TABLE letters (id uuid, written timestamptz, answer_to uuid, pages numeric, body text, header varchar(400));
INSERT INTO letters SELECT md5(i::text)::uuid, timestamptz '2026-01-01 00:00+00' + (i::bigint * 48271 % 39999) * interval '1 minute', md5((i + 1)::text)::uuid, i % 40, repeat(md5(i::text), 18), repeat('h', 100)
FROM generate_series(1, 40000) i;
CREATE VIEW post AS SELECT id AS letter, written, header, body FROM letters;
CREATE TABLE "Notes" ("Day" date, "Author" text, "Text" text) PARTITION BY RANGE ("Day");
CREATE TABLE "Notes 1" PARTITION OF "Notes" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Notes 2" PARTITION OF "Notes" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO "Notes" SELECT date '2026-01-01' + i % 59, 'author ' || i::bigint * 7919 % 40009, repeat(md5(i::text), 18) FROM generate_series(1, 40000) i;
ANALYZE;
-- variant: sorted by time behind an alias
-- setting: work_mem=1MB
-- remedy: none
SELECT l.* FROM letters AS l ORDER BY l.written DESC;
-- variant: a view
-- setting: work_mem=1MB
-- remedy: none
SELECT * FROM post WHERE letter < 'f0000000-0000-0000-0000-000000000000' ORDER BY letter;
-- variant: partitions with quoted names
-- setting: work_mem=1MB
-- remedy: none
SELECT "Notes".* FROM "Notes" ORDER BY "Author";
-- variant: a hash table of letters and their answers
-- setting: work_mem=1MB
-- setting: enable_mergejoin=off
-- setting: enable_nestloop=off
-- remedy: none
SELECT * FROM letters a JOIN letters b ON b.answer_to = a.id;
-- variant: a parameter and a window
-- setting: work_mem=1MB
-- param: 2026-01-05
-- remedy: none
SELECT *, row_number() OVER (PARTITION BY n."Author" ORDER BY n."Day") FROM "Notes" n WHERE n."Day" > $1;
