CREATE TABLE payments (id uuid, state varchar(12), paid date, amount numeric, memo text);
INSERT INTO payments SELECT md5(i::text)::uuid, CASE WHEN i % 4000 = 7 THEN 'disputed' ELSE 'settled' END, date '2020-01-01' + i / 60, i % 997, repeat('m', 50)
FROM generate_series(1, 150000) i;
CREATE INDEX ON payments (state);
CREATE VIEW disputes AS SELECT state AS how, amount, memo FROM payments;
CREATE TABLE "Mails" ("Box" uuid, "Read" text, "Text" text) PARTITION BY LIST ("Read");
CREATE TABLE "Mails 1" PARTITION OF "Mails" FOR VALUES IN ('yes');
CREATE TABLE "Mails 2" PARTITION OF "Mails" FOR VALUES IN ('no');
INSERT INTO "Mails" SELECT CASE WHEN i % 10 < 7 THEN md5('spam')::uuid ELSE md5((i % 5000)::text)::uuid END, CASE WHEN i % 2 = 0 THEN 'yes' ELSE 'no' END, 'mail ' || i
FROM generate_series(1, 150000) i;
CREATE INDEX ON "Mails" ("Box");
CREATE TABLE follows (who bigint, whom bigint);
INSERT INTO follows SELECT CASE WHEN i % 2 = 0 THEN 1 ELSE i % 40000 + 2 END, i FROM generate_series(1, 150000) i;
CREATE INDEX ON follows (who);
CREATE TABLE profiles (id bigint PRIMARY KEY, bio text);
INSERT INTO profiles SELECT i, 'bio ' || i FROM generate_series(1, 150000) i;
ANALYZE;
-- variant: a rare state in a generic plan
-- setting: enable_indexscan=off
-- setting: cpu_index_tuple_cost=0.1
-- remedy: none
SELECT sum(p.amount) FROM payments AS p WHERE p.state = $1;
-- variant: a view
-- setting: enable_indexscan=off
-- setting: cpu_index_tuple_cost=0.1
-- remedy: none
SELECT max(memo), count(*) FROM disputes WHERE how = $1;
-- variant: partitions with quoted names, a uuid
-- remedy: none
SELECT max(md5(m."Text")) FROM "Mails" m WHERE m."Box" = $1;
-- variant: a join
-- remedy: none
SELECT count(p.bio) FROM follows f JOIN profiles p ON p.id = f.whom WHERE f.who = $1;
-- variant: a CTE and a cast
-- remedy: none
WITH mine AS MATERIALIZED (SELECT "Text" FROM "Mails" WHERE "Box" = $1::uuid) SELECT max(md5("Text")), count(*) FROM mine;
