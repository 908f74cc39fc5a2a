CREATE TABLE devices (serial uuid PRIMARY KEY, model varchar(40), firmware text);
INSERT INTO devices SELECT md5(i::text)::uuid, 'Model ' || i % 90, 'firmware build number ' || i FROM generate_series(1, 100000) i;
CREATE TABLE pings (serial uuid, at timestamptz, once bigint);
INSERT INTO pings SELECT md5((i % 15000 + 1)::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '1 second', i FROM generate_series(1, 100000) i;
CREATE TABLE "Members" ("No" bigint PRIMARY KEY, "Mail" text);
INSERT INTO "Members" SELECT i, 'member.number' || i || '@example.org' FROM generate_series(1, 100000) i;
ALTER TABLE pings ALTER once SET (n_distinct = 500);
CREATE TABLE plays (song numeric, day date) PARTITION BY RANGE (day);
CREATE TABLE plays_1 PARTITION OF plays FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE plays_2 PARTITION OF plays FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO plays SELECT i % 15000 + 1, date '2026-01-01' + i / 2000 FROM generate_series(1, 100000) i;
CREATE TABLE songs (id numeric PRIMARY KEY, title varchar(80));
INSERT INTO songs SELECT i, 'A song with the number ' || i FROM generate_series(1, 100000) i;
CREATE VIEW pinged AS SELECT p.at, d.firmware FROM pings p LEFT JOIN devices d ON d.serial = p.serial;
ANALYZE;
-- variant: a uuid behind aliases
-- since: 14
-- setting: work_mem=1MB
-- setting: hash_mem_multiplier=1
-- setting: enable_hashjoin=off
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT max(d.model) FROM pings AS p JOIN devices AS d ON d.serial = p.serial;
-- variant: a view with an outer join
-- since: 14
-- setting: work_mem=1MB
-- setting: hash_mem_multiplier=1
-- setting: enable_hashjoin=off
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT count(firmware) FROM pinged WHERE at > '2026-01-01 01:00+00';
-- variant: keys that never repeat
-- since: 14
-- setting: enable_hashjoin=off
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT count(m."Mail") FROM pings JOIN "Members" m ON m."No" = pings.once;
-- variant: partitions
-- since: 14
-- setting: work_mem=1MB
-- setting: hash_mem_multiplier=1
-- setting: enable_hashjoin=off
-- setting: enable_mergejoin=off
-- remedy: asking
SELECT count(s.title) FROM plays INNER JOIN songs s ON s.id = plays.song;
-- variant: LATERAL and a parameter
-- since: 14
-- setting: work_mem=1MB
-- setting: hash_mem_multiplier=1
-- param: 2026-01-01 00:30+00
-- remedy: asking
SELECT count(l.firmware) FROM pings p CROSS JOIN LATERAL (SELECT d.firmware FROM devices d WHERE d.serial = p.serial OFFSET 0) l WHERE p.at > $1;
