CREATE TABLE invoices (tenant uuid NOT NULL, number varchar(20), issued date, amount numeric, state text);
INSERT INTO invoices SELECT md5((i / 60000)::text)::uuid, 'R-' || (i::bigint * 48271 % 299993), date '2025-01-01' + i % 60000 % 400, (i::bigint * 7919 % 500000) / 100.0, 'paid'
FROM generate_series(0, 299999) i;
CREATE INDEX invoices_tenant ON invoices (tenant);
CREATE VIEW paid AS SELECT number AS no, amount, tenant FROM invoices WHERE state = 'paid';
CREATE TABLE "Logins" ("User" text, "At" timestamptz, "Ip" inet) PARTITION BY RANGE ("At");
CREATE TABLE "Logins 1" PARTITION OF "Logins" FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE "Logins 2" PARTITION OF "Logins" FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-04-01 00:00+00');
INSERT INTO "Logins" SELECT 'user' || (i::bigint * 7919 % 90001), timestamptz '2026-01-10 00:00+00' + i * interval '10 seconds', '10.0.0.1'
FROM generate_series(1, 300000) i;
CREATE INDEX ON "Logins" ("At");
CREATE TABLE tenants (id uuid PRIMARY KEY, name text);
INSERT INTO tenants SELECT md5(i::text)::uuid, 'Tenant ' || i FROM generate_series(0, 4) i;
ANALYZE;
-- variant: a uuid behind an alias
SELECT i.issued FROM invoices AS i WHERE i.tenant = md5('2')::uuid AND i.number = 'R-777';
-- variant: a view
SELECT max(amount) FROM paid WHERE tenant = md5('3')::uuid AND no IN ('R-70001', 'R-70002');
-- variant: partitions with quoted names, a range leads
SELECT count(*) FROM "Logins" l WHERE l."At" >= '2026-01-20 00:00+00' AND l."At" < '2026-02-08 00:00+00' AND l."User" = 'user4711';
-- variant: a numeric range behind a parameter
-- param: cfcd2084-95d5-65ef-66e7-dff9f98764da
-- param: 4999.90
SELECT number, amount FROM invoices WHERE tenant = $1 AND amount > $2;
-- variant: below a join, in a CTE
WITH big AS MATERIALIZED (SELECT tenant, issued FROM invoices WHERE tenant = md5('1')::uuid AND amount = 4321.12)
SELECT t.name, big.issued FROM big JOIN tenants t ON t.id = big.tenant;
