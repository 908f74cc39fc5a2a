CREATE TABLE guests (id uuid PRIMARY KEY, mail varchar(60) NOT NULL, born date);
INSERT INTO guests SELECT md5(i::text)::uuid, 'guest' || i || '@example.net', date '1950-01-01' + i % 20000 FROM generate_series(1, 30000) i;
CREATE TABLE stays (no bigint PRIMARY KEY, guest uuid NOT NULL, room varchar(8) NOT NULL, arrived timestamptz NOT NULL);
INSERT INTO stays SELECT i, md5((i % 30000 + 1)::text)::uuid, 'R' || i % 5000, timestamptz '2025-01-01 00:00+00' + i * interval '3 minutes' FROM generate_series(1, 150000) i;
CREATE VIEW desk AS SELECT s.no AS stay, s.room, g.mail FROM stays s JOIN guests g ON g.id = s.guest;
CREATE TABLE "Pairs" ("Left" numeric NOT NULL, "Right" numeric NOT NULL);
INSERT INTO "Pairs" SELECT i % 400, i * 7 % 400 FROM generate_series(1, 6000) i;
CREATE TABLE "Points" ("No" numeric NOT NULL, "Name" text);
INSERT INTO "Points" SELECT i, 'point ' || i FROM generate_series(1, 400) i;
CREATE TABLE extras (stay bigint NOT NULL, what text NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE extras_1 PARTITION OF extras FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE extras_2 PARTITION OF extras FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO extras SELECT i, 'extra ' || i % 3000, date '2026-01-01' + i % 59 FROM generate_series(1, 100000) i;
ANALYZE;
-- variant: a mail or a room
-- remedy: asking
SELECT s.no, g.born FROM stays AS s JOIN guests AS g ON g.id = s.guest WHERE g.mail = 'guest77@example.net' OR s.room = 'R88';
-- variant: a view with a parameter
-- param: 4711
-- remedy: none
SELECT d.stay, d.room FROM desk d WHERE d.mail = 'guest4711@example.net' OR d.stay = $1;
-- variant: a join by either end, quoted names
-- remedy: asking
SELECT p."Name", q."Left" FROM "Points" p JOIN "Pairs" q ON q."Left" = p."No" OR q."Right" = p."No";
-- variant: partitions
-- remedy: asking
SELECT s.room, e.what FROM stays s, extras e WHERE e.stay = s.no AND (s.room = 'R17' OR e.what = 'extra 18');
-- variant: with a parameter and a range
-- param: guest99@example.net
-- remedy: asking
SELECT s.no, g.mail FROM stays s JOIN guests g ON g.id = s.guest WHERE s.arrived < '2025-01-01 06:00+00' OR g.mail = $1;
