CREATE TABLE rates (currency char(3) NOT NULL, valid_from timestamptz NOT NULL, rate numeric NOT NULL);
INSERT INTO rates SELECT (ARRAY['EUR', 'USD', 'GBP', 'JPY'])[i % 4 + 1], timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 97 / 100.0 FROM generate_series(1, 40000) i;
CREATE TABLE deals (id uuid PRIMARY KEY, currency char(3) NOT NULL, closed timestamptz NOT NULL);
INSERT INTO deals SELECT md5(i::text)::uuid, (ARRAY['EUR', 'USD', 'GBP', 'JPY'])[i % 4 + 1], timestamptz '2026-01-01 00:00+00' + i * interval '200 minutes' FROM generate_series(1, 120) i;
CREATE VIEW closing AS SELECT id AS deal, currency AS coin, closed AS at FROM deals;
CREATE TABLE "Tariffs" ("Zone" text NOT NULL, "From Kg" numeric NOT NULL, "Fee" numeric) PARTITION BY HASH ("From Kg");
CREATE TABLE "Tariffs 0" PARTITION OF "Tariffs" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Tariffs 1" PARTITION OF "Tariffs" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "Tariffs" SELECT 'zone ' || i % 5, i / 10.0, i % 31 FROM generate_series(1, 40000) i;
CREATE TABLE "Parcels" ("Code" varchar(20), "Zone" text NOT NULL, "Kg" numeric NOT NULL);
INSERT INTO "Parcels" SELECT 'parcel ' || i, 'zone ' || i % 5, i * 30 FROM generate_series(1, 120) i;
ANALYZE;
-- variant: the rate of a moment
SELECT d.id, r.rate FROM deals AS d JOIN rates AS r ON r.currency = d.currency AND r.valid_from > d.closed AND r.valid_from <= d.closed + interval '4 minutes';
-- variant: a view and BETWEEN
SELECT c.deal, max(r.rate) FROM closing c JOIN rates r ON r.currency = c.coin AND r.valid_from BETWEEN c.at AND c.at + interval '5 minutes' GROUP BY c.deal;
-- variant: partitions with quoted names
SELECT p."Code", t."Fee" FROM "Parcels" p JOIN "Tariffs" t ON t."Zone" = p."Zone" AND t."From Kg" > p."Kg" AND t."From Kg" < p."Kg" + 2;
-- variant: a left join with a parameter
-- param: 2026-01-10 00:00+00
SELECT d.id, r.rate FROM deals d LEFT JOIN rates r ON r.currency = d.currency AND r.valid_from >= d.closed AND r.valid_from < d.closed + interval '2 minutes' WHERE d.closed > $1;
-- variant: a distance between both
-- remedy: none
SELECT count(*) FROM deals d JOIN rates r ON r.currency = d.currency AND abs(extract(epoch FROM r.valid_from - d.closed)) < 90;
