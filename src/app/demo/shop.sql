-- A sample shop: two years of orders up to now, the same on every run. Needs the setting shop.orders, such as
-- SET shop.orders = 1200000. Everything else follows from that number and from hashes of row numbers.
-- There are the indexes that the constraints bring and one more; the queries beside this file miss the others.

-- The same "random" number in [0, 1) for the same row and salt, on every run and every major version.
CREATE FUNCTION pg_temp.noise(row_number bigint, salt bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(row_number, salt) & 2147483647) / 2147483648.0::float8 $$;

-- Zipf's law: one of `size` things, the first about as popular as the next two together.
CREATE FUNCTION pg_temp.popular(noise float8, size bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT floor(exp(noise * ln(size + 1.0::float8)))::bigint $$;

-- Popularity is not in the order of ids. User 123 is the eighth most popular one.
CREATE FUNCTION pg_temp.shuffled(rank bigint, size bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT ((rank + size - 8) % size * 7919 + 122) % size + 1 $$;

CREATE TEMPORARY TABLE size AS
SELECT orders,
       greatest(orders / 24, 1000) AS users,
       greatest(orders / 240, 500) AS products,
       orders / 2 AS events,
       orders / 4 AS shipments,
       greatest(orders / 1000, 100) AS tickets,
       interval '730 days' / orders AS pause
FROM (SELECT current_setting('shop.orders')::bigint AS orders) AS wanted;

-- From popular to rare. The city tells the region, and the region the country.
CREATE TEMPORARY TABLE places AS
SELECT row_number() OVER () AS rank, place[1] AS country, place[2] AS region, place[3] AS city, place[4] AS zip
FROM (SELECT string_to_array(line, '/') AS place FROM unnest(ARRAY[
    'DE/Berlin/Berlin/10115', 'DE/Hamburg/Hamburg/20095', 'DE/Bavaria/Munich/80331', 'FR/Ile-de-France/Paris/75001',
    'DE/Hesse/Frankfurt/60311', 'GB/England/London/EC1A', 'DE/Saxony/Leipzig/04103', 'ES/Madrid/Madrid/28001',
    'FR/Provence/Marseille/13001', 'IT/Lazio/Rome/00118', 'DE/Bremen/Bremen/28195', 'GB/England/Leeds/LS1',
    'NL/North Holland/Amsterdam/1011', 'DE/Bavaria/Nuremberg/90402', 'ES/Catalonia/Barcelona/08001',
    'FR/Occitanie/Toulouse/31000', 'IT/Lombardy/Milan/20121', 'PL/Masovia/Warsaw/00-001', 'AT/Vienna/Vienna/1010',
    'GB/Scotland/Glasgow/G1', 'DE/Saxony/Dresden/01067', 'NL/South Holland/Rotterdam/3011', 'CH/Zurich/Zurich/8001',
    'BE/Brussels/Brussels/1000', 'IT/Campania/Naples/80121', 'SE/Stockholm/Stockholm/11120', 'FR/Brittany/Rennes/35000',
    'DK/Capital/Copenhagen/1050', 'PL/Lesser Poland/Krakow/30-001', 'PT/Lisbon/Lisbon/1100', 'CZ/Prague/Prague/11000',
    'ES/Andalusia/Seville/41001', 'CH/Geneva/Geneva/1201', 'NL/Utrecht/Utrecht/3511', 'AT/Styria/Graz/8010',
    'GB/Wales/Cardiff/CF10', 'FI/Uusimaa/Helsinki/00100', 'NO/Oslo/Oslo/0150', 'HU/Budapest/Budapest/1051',
    'IE/Leinster/Dublin/D01', 'BE/Flanders/Ghent/9000', 'CH/Bern/Bern/3011', 'PT/Norte/Porto/4000',
    'SE/Skane/Malmo/21119', 'CZ/Moravia/Brno/60200', 'AT/Tyrol/Innsbruck/6020', 'NO/Vestland/Bergen/5003',
    'AT/Salzburg/Salzburg/5020']) AS line) AS lines;

BEGIN;

CREATE TABLE users (
    id bigint PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    country text NOT NULL,
    city text NOT NULL,
    zip text NOT NULL,
    newsletter boolean NOT NULL,
    created_at timestamptz NOT NULL
);

INSERT INTO users
SELECT n, 'Customer' || n || '@example.com', 'Customer ' || n, country, city, zip, n % 3 = 0,
       now() - (users - n) * (interval '1000 days' / users)
FROM size, generate_series(1, users) AS n
JOIN places ON rank = pg_temp.popular(pg_temp.noise(n, 1), 48);

CREATE TABLE products (
    id bigint PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(10, 2) NOT NULL,
    attributes jsonb NOT NULL
);

INSERT INTO products
SELECT n, 'SKU-' || lpad(n::text, 6, '0'), 'Product ' || n,
       (ARRAY['Books', 'Garden', 'Kitchen', 'Music', 'Office', 'Outdoor', 'Tools', 'Toys'])[1 + n % 8],
       (5 + 295 * pg_temp.noise(n, 2))::numeric(10, 2),
       jsonb_build_object('weight_g', 100 + n % 900, 'colour', (ARRAY['red', 'green', 'blue'])[1 + n % 3])
FROM size, generate_series(1, products) AS n;

-- Its keys are made after the rows: half the time.
CREATE TABLE orders (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    status text NOT NULL,
    total numeric(10, 2) NOT NULL,
    paid boolean NOT NULL,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz
);

-- Of 100 orders 97 are delivered, 2 shipped, 1 is pending. Whoever paid has got the goods, and with a handful of
-- exceptions the other way round.
INSERT INTO orders
SELECT n, pg_temp.shuffled(pg_temp.popular(pg_temp.noise(n, 3), users), users),
       CASE WHEN dice < 1 THEN 'pending' WHEN dice < 3 THEN 'shipped' ELSE 'delivered' END,
       (10 + 490 * pg_temp.noise(n, 5))::numeric(10, 2), dice >= 3 AND n % (orders / 5) <> 7, placed,
       CASE WHEN dice >= 3 THEN placed + interval '2 days' END
FROM (
    SELECT n, users, orders, 100 * pg_temp.noise(n, 4) AS dice, now() - (orders - n) * pause AS placed
    FROM size, generate_series(1, orders) AS n
) AS placed;

CREATE TABLE items (
    order_id bigint NOT NULL,
    line smallint NOT NULL,
    product_id bigint NOT NULL,
    quantity smallint NOT NULL,
    price numeric(10, 2) NOT NULL
);

-- One line for every order, a second one for every other.
INSERT INTO items
SELECT n, line, pg_temp.shuffled(pg_temp.popular(pg_temp.noise(2 * n + line, 6), products), products),
       1 + n % 3, (5 + 295 * pg_temp.noise(2 * n + line, 7))::numeric(10, 2)
FROM size, generate_series(1, orders) AS n, generate_series(1, 1 + n % 2) AS line;

CREATE TABLE events (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    kind text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    city text NOT NULL,
    details jsonb,
    created_at timestamptz NOT NULL
);

INSERT INTO events
SELECT n, pg_temp.shuffled(pg_temp.popular(pg_temp.noise(n, 8), users), users),
       CASE WHEN dice < 1 THEN 'payment failed' WHEN dice < 10 THEN 'cart' ELSE 'view' END,
       country, region, city, CASE WHEN dice < 1 THEN '{"reason": "card declined"}'::jsonb END,
       now() - (events - n) * (interval '365 days' / events)
FROM (SELECT n, users, events, 100 * pg_temp.noise(n, 9) AS dice FROM size, generate_series(1, events) AS n) AS seen
JOIN places ON rank = pg_temp.popular(pg_temp.noise(n, 10), 48);

CREATE TABLE tickets (
    id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    subject text NOT NULL,
    open boolean NOT NULL,
    created_at timestamptz NOT NULL
);

INSERT INTO tickets
SELECT n, pg_temp.shuffled(pg_temp.popular(pg_temp.noise(n, 11), users), users), 'Where is my parcel?', n % 4 = 0,
       now() - (tickets - n) * (interval '365 days' / tickets)
FROM size, generate_series(1, tickets) AS n;

CREATE TABLE shipments (
    id bigint NOT NULL,
    order_id bigint NOT NULL,
    carrier text NOT NULL,
    tracking_code text NOT NULL,
    dispatched_at timestamptz NOT NULL
);

INSERT INTO shipments
SELECT n, n * (orders / shipments), (ARRAY['DHL', 'UPS', 'GLS', 'DPD'])[1 + n % 4], 'T' || n * 104729,
       now() - (shipments - n) * (interval '730 days' / shipments)
FROM size, generate_series(1, shipments) AS n;

ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE items ADD PRIMARY KEY (order_id, line);
ALTER TABLE events ADD PRIMARY KEY (id);
CREATE INDEX events_user_id_idx ON events (user_id);
ALTER TABLE shipments ADD PRIMARY KEY (id);

COMMIT;

VACUUM (ANALYZE) users, products, orders, items, events, tickets;

-- Nobody ran ANALYZE after loading this one, and autovacuum has not come round yet.
VACUUM shipments;
