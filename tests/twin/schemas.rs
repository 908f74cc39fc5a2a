//! Five schemas with data that planners find hard, and what is asked of them.

/// A schema: its DDL, its rows, its queries.
pub struct Schema {
    pub name: &'static str,
    /// Without rows: what the twin is made of.
    pub ddl: &'static str,
    pub data: &'static str,
    pub queries: &'static [&'static str],
}

pub const SCHEMAS: [Schema; 5] = [
    Schema {
        name: "shop",
        ddl: "
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, country char(2), created_at timestamptz NOT NULL, referrer bigint);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX users_country ON users (country, created_at);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, status varchar(12) NOT NULL,
  total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL, note text);
CREATE INDEX orders_user ON orders (user_id, created_at DESC);
CREATE INDEX orders_open ON orders (created_at) WHERE status <> 'done';
CREATE INDEX orders_total ON orders (created_at) INCLUDE (total);
CREATE TABLE items (order_id bigint NOT NULL REFERENCES orders, line smallint NOT NULL, product int NOT NULL, quantity int NOT NULL,
  PRIMARY KEY (order_id, line));
CREATE INDEX items_product ON items (product);",
        data: "
INSERT INTO users SELECT g, 'user' || g || '@example.com', (ARRAY['DE','DE','DE','DE','FR','FR','US','IS'])[1 + (g * 7919) % 8],
  '2020-01-01'::timestamptz + g * interval '1 hour', NULLIF((g * 31) % 50, 0) FROM generate_series(1, 20000) g;
INSERT INTO orders SELECT g, 1 + ((g::bigint * g) % 20000 * ((g * 13) % 20) / 20), CASE WHEN g % 100 < 96 THEN 'done' WHEN g % 100 < 99 THEN 'open' ELSE 'failed' END,
  (g * 17 % 90000) / 100.0, '2021-01-01'::timestamptz + g * interval '9 minutes', CASE WHEN g % 40 = 0 THEN md5(g::text) END FROM generate_series(1, 120000) g;
INSERT INTO items SELECT o, l, (o::bigint * l * 7919) % 3000, 1 + (o + l) % 5 FROM generate_series(1, 120000) o, generate_series(1, 2) l WHERE l = 1 OR o % 3 > 0;",
        queries: &[
            "SELECT * FROM orders WHERE id = 77",
            "SELECT id, total FROM orders WHERE user_id = 42 ORDER BY created_at DESC LIMIT 20",
            "SELECT count(*) FROM orders WHERE status = 'open'",
            "SELECT count(*) FROM orders WHERE status = 'done' AND total > 800",
            "SELECT * FROM orders WHERE status <> 'done' AND created_at > '2022-12-01' ORDER BY created_at LIMIT 50",
            "SELECT sum(total) FROM orders WHERE created_at BETWEEN '2022-01-01' AND '2022-01-08'",
            "SELECT * FROM orders WHERE created_at > '2022-12-31'",
            "SELECT * FROM orders WHERE created_at > '2022-12-31' ORDER BY id LIMIT 10",
            "SELECT u.email, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE u.country = 'IS' AND o.created_at > '2022-12-20'",
            "SELECT u.country, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.country",
            "SELECT i.product, sum(i.quantity) FROM items i JOIN orders o ON o.id = i.order_id WHERE o.user_id = 77 GROUP BY i.product",
            "SELECT o.id FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id AND i.product = 5)",
            "SELECT * FROM users WHERE lower(email) = 'user77@example.com'",
            "SELECT a.id, b.id FROM users a JOIN users b ON b.referrer = a.id WHERE a.country = 'US'",
            "SELECT product, count(*) FROM items GROUP BY product ORDER BY 2 DESC LIMIT 10",
            "SELECT * FROM orders o JOIN items i ON i.order_id = o.id WHERE o.total > 899 AND i.quantity = 5",
            "SELECT * FROM orders WHERE note IS NOT NULL AND user_id < 20",
            "UPDATE orders SET status = 'done' WHERE id = 7",
            "DELETE FROM items WHERE order_id = 7 AND line = 1",
        ],
    },
    Schema {
        name: "metrics",
        ddl: "
CREATE TABLE readings (sensor int NOT NULL, at timestamptz NOT NULL, value double precision, quality smallint) PARTITION BY RANGE (at);
CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE readings_3 PARTITION OF readings FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
CREATE TABLE readings_4 PARTITION OF readings FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
CREATE INDEX readings_sensor_at ON readings (sensor, at);
CREATE INDEX readings_at ON readings (at);
CREATE INDEX readings_4_brin ON readings_4 USING brin (at);
CREATE TABLE sensors (id int PRIMARY KEY, site int NOT NULL, kind text NOT NULL);
CREATE INDEX sensors_site ON sensors (site);",
        data: "
INSERT INTO sensors SELECT g, g % 40, (ARRAY['temp','temp','temp','hum','co2'])[1 + g % 5] FROM generate_series(1, 800) g;
INSERT INTO readings SELECT 1 + (g * 7919) % 800, '2024-01-01'::timestamptz + g * interval '62 seconds', sin(g), CASE WHEN g % 500 = 0 THEN 2 ELSE 0 END
  FROM generate_series(1, 165000) g;",
        queries: &[
            "SELECT * FROM readings WHERE sensor = 7 AND at >= '2024-04-20'",
            "SELECT avg(value) FROM readings WHERE at >= '2024-02-10' AND at < '2024-02-11'",
            "SELECT sensor, max(at) FROM readings WHERE at >= '2024-03-01' GROUP BY sensor",
            "SELECT s.site, avg(r.value) FROM readings r JOIN sensors s ON s.id = r.sensor WHERE s.site = 3 AND r.at > '2024-04-25' GROUP BY s.site",
            "SELECT * FROM readings WHERE quality = 2",
            "SELECT * FROM readings ORDER BY at DESC LIMIT 10",
            "SELECT count(*) FROM readings_4 WHERE at > '2024-04-26'",
            "SELECT * FROM sensors WHERE kind = 'co2' AND site = 4",
            "SELECT r.sensor, count(*) FROM readings r WHERE r.value > 0.99 GROUP BY r.sensor HAVING count(*) > 3",
            "SELECT * FROM sensors s WHERE NOT EXISTS (SELECT 1 FROM readings r WHERE r.sensor = s.id AND r.at > '2024-04-01')",
            "SELECT s.id, r.* FROM sensors s CROSS JOIN LATERAL (SELECT at, value FROM readings r WHERE r.sensor = s.id ORDER BY at DESC LIMIT 1) r WHERE s.site = 9",
            "SELECT date_trunc('day', at) d, count(*) FROM readings WHERE sensor IN (1, 2, 3) GROUP BY d ORDER BY d",
        ],
    },
    Schema {
        name: "documents",
        ddl: "
CREATE EXTENSION pg_trgm;
CREATE TYPE state AS ENUM ('draft', 'review', 'published', 'archived');
CREATE FUNCTION number_of(title text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT substr(title, 10)::int $$;
CREATE TABLE documents (id uuid PRIMARY KEY, title text NOT NULL, state state NOT NULL, tags text[] NOT NULL, body tsvector, meta jsonb,
  region text, city text, updated_at timestamp NOT NULL);
CREATE INDEX documents_tags ON documents USING gin (tags);
CREATE INDEX documents_body ON documents USING gin (body);
CREATE INDEX documents_meta ON documents USING gin (meta jsonb_path_ops);
CREATE INDEX documents_state ON documents (state, updated_at);
CREATE INDEX documents_year ON documents ((extract(year FROM updated_at)));
CREATE INDEX documents_title ON documents (title text_pattern_ops);
CREATE INDEX documents_drafts ON documents (updated_at) WHERE state = 'draft';
CREATE INDEX documents_trigrams ON documents USING gin (title gin_trgm_ops);
CREATE INDEX documents_number ON documents (number_of(title));
CREATE INDEX documents_published ON documents ((state = 'archived'), updated_at);
CREATE INDEX documents_title_hash ON documents USING hash (title);
CREATE STATISTICS documents_place (ndistinct, dependencies, mcv) ON region, city FROM documents;
CREATE TABLE comments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, document uuid NOT NULL REFERENCES documents, author int NOT NULL, text text);
CREATE INDEX comments_document ON comments (document);",
        data: "
INSERT INTO documents SELECT md5(g::text)::uuid, 'Document ' || g, (ARRAY['draft','review','published','published','published','published','archived','published'])[1 + g % 8]::state,
  ARRAY['t' || g % 7, 't' || (g::bigint * g) % 400], to_tsvector('simple', 'word' || g % 50 || ' term' || (g * 31) % 2000 || ' all'),
  jsonb_build_object('lang', (ARRAY['en','en','en','de','is'])[1 + g % 5], 'size', g % 1000), 'region' || g % 20, 'city' || g % 400 / 20 * 20 + g % 20,
  '2015-01-01'::timestamp + g * interval '53 minutes' FROM generate_series(1, 60000) g;
INSERT INTO comments (document, author, text) SELECT md5((1 + (g * 7) % 60000)::text)::uuid, g % 900, md5(g::text) FROM generate_series(1, 90000) g;",
        queries: &[
            "SELECT * FROM documents WHERE tags @> ARRAY['t399']",
            "SELECT count(*) FROM documents WHERE tags @> ARRAY['t3']",
            "SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'term77')",
            "SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'word7 & term77')",
            "SELECT id FROM documents WHERE meta @> '{\"size\": 77}'",
            "SELECT * FROM documents WHERE state = 'review' ORDER BY updated_at DESC LIMIT 20",
            "SELECT count(*) FROM documents WHERE state = 'published' AND updated_at > '2020-12-01'",
            "SELECT count(*) FROM documents WHERE extract(year FROM updated_at) = 2016",
            "SELECT * FROM documents WHERE title LIKE 'Document 4242%'",
            "SELECT * FROM documents WHERE title = 'Document 77'",
            "SELECT * FROM documents WHERE state = 'draft' AND updated_at > '2020-11-01' ORDER BY updated_at",
            "SELECT id FROM documents WHERE title LIKE '%4242%'",
            "SELECT id FROM documents WHERE number_of(title) < 300",
            "SELECT count(*) FROM documents WHERE (state = 'archived') AND updated_at > '2020-06-01'",
            "SELECT count(*) FROM documents WHERE region = 'region3' AND city = 'city3'",
            "SELECT region, city, count(*) FROM documents GROUP BY region, city",
            "SELECT d.title, c.text FROM documents d JOIN comments c ON c.document = d.id WHERE d.state = 'draft' AND c.author = 7",
            "SELECT d.id, count(*) FROM documents d JOIN comments c ON c.document = d.id WHERE d.tags @> ARRAY['t77'] GROUP BY d.id",
        ],
    },
    Schema {
        name: "Book ings",
        ddl: "
CREATE SCHEMA \"Book ings\";
CREATE TABLE \"Book ings\".\"Rooms\" (id int PRIMARY KEY, \"Hotel Id\" int NOT NULL, size int4range NOT NULL);
CREATE TABLE \"Book ings\".\"Stays\" (id bigint PRIMARY KEY, \"Room\" int NOT NULL, during tsrange NOT NULL, guest inet, price numeric);
CREATE INDEX \"Stays during\" ON \"Book ings\".\"Stays\" USING gist (during);
CREATE INDEX \"Stays room\" ON \"Book ings\".\"Stays\" (\"Room\", id DESC NULLS LAST);
CREATE INDEX \"Stays guest\" ON \"Book ings\".\"Stays\" (guest);
CREATE INDEX \"Stays price\" ON \"Book ings\".\"Stays\" (price DESC);
CREATE INDEX \"Rooms hotel\" ON \"Book ings\".\"Rooms\" (\"Hotel Id\");",
        data: "
INSERT INTO \"Book ings\".\"Rooms\" SELECT g, 1 + g / 50, int4range(g % 30, g % 30 + 10) FROM generate_series(1, 4000) g;
INSERT INTO \"Book ings\".\"Stays\" SELECT g, 1 + (g::bigint * 7919) % 4000, tsrange('2022-01-01'::timestamp + g * interval '6 minutes', '2022-01-01'::timestamp + g * interval '6 minutes' + (1 + g % 9) * interval '1 day'),
  ('10.0.' || g % 250 || '.' || (g / 250) % 250)::inet, CASE WHEN g % 10 = 0 THEN NULL ELSE (g * 37 % 50000) / 100.0 END FROM generate_series(1, 80000) g;",
        queries: &[
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE during && tsrange('2022-05-05', '2022-05-06')",
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE during @> '2022-11-05'::timestamp",
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE \"Room\" = 7 ORDER BY id DESC NULLS LAST LIMIT 5",
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE guest = '10.0.7.7'",
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE guest << '10.0.7.0/24'",
            "SELECT * FROM \"Book ings\".\"Stays\" WHERE price > 499 ORDER BY price DESC",
            "SELECT count(*) FROM \"Book ings\".\"Stays\" WHERE price IS NULL",
            "SELECT r.\"Hotel Id\", sum(s.price) FROM \"Book ings\".\"Stays\" s JOIN \"Book ings\".\"Rooms\" r ON r.id = s.\"Room\" WHERE r.\"Hotel Id\" = 3 GROUP BY 1",
            "SELECT r.id FROM \"Book ings\".\"Rooms\" r LEFT JOIN \"Book ings\".\"Stays\" s ON s.\"Room\" = r.id AND s.price > 480 WHERE s.id IS NULL",
            "SELECT * FROM \"Book ings\".\"Rooms\" WHERE size @> 5",
        ],
    },
    Schema {
        name: "ledger",
        ddl: "
CREATE TABLE accounts (bank smallint, number bigint, owner text COLLATE \"C\", opened date, closed date, PRIMARY KEY (bank, number));
CREATE INDEX accounts_owner ON accounts (owner);
CREATE INDEX accounts_closed ON accounts (closed) WHERE closed IS NOT NULL;
CREATE TABLE entries (id bigint PRIMARY KEY, bank smallint NOT NULL, number bigint NOT NULL, booked date NOT NULL, amount bigint NOT NULL, kind smallint NOT NULL,
  FOREIGN KEY (bank, number) REFERENCES accounts);
CREATE INDEX entries_account ON entries (bank, number, booked);
CREATE INDEX entries_booked ON entries (booked);
CREATE INDEX entries_kind ON entries (kind) WHERE kind > 2;
CREATE TABLE kinds (id smallint PRIMARY KEY, name text NOT NULL);
CREATE MATERIALIZED VIEW totals AS SELECT bank, number, sum(amount) AS total, count(*) AS n FROM entries GROUP BY bank, number WITH NO DATA;
CREATE UNIQUE INDEX totals_key ON totals (bank, number);
CREATE INDEX totals_total ON totals (total DESC);",
        data: "
INSERT INTO kinds SELECT g, 'kind ' || g FROM generate_series(0, 5) g;
INSERT INTO accounts SELECT g % 12, g, 'owner ' || (g::bigint * g) % 9000, '2010-01-01'::date + g % 3000, CASE WHEN g % 25 = 0 THEN '2020-01-01'::date + g % 900 END FROM generate_series(1, 30000) g;
INSERT INTO entries SELECT g, a % 12, a, '2015-01-01'::date + g / 60, g::bigint * 7919 % 100000, CASE WHEN g % 50 = 0 THEN 3 + g % 3 ELSE g % 3 END
  FROM (SELECT g, 1 + (g::bigint * 31 % 30000) * (g % 7) / 7 AS a FROM generate_series(1, 150000) g) x;
REFRESH MATERIALIZED VIEW totals;
DELETE FROM entries WHERE booked < '2015-06-01';",
        queries: &[
            "SELECT * FROM entries WHERE bank = 3 AND number = 15 ORDER BY booked DESC LIMIT 10",
            "SELECT sum(amount) FROM entries WHERE booked >= '2021-10-01'",
            "SELECT sum(amount) FROM entries WHERE booked < '2015-07-01'",
            "SELECT a.owner, sum(e.amount) FROM accounts a JOIN entries e USING (bank, number) WHERE a.owner = 'owner 81' GROUP BY a.owner",
            "SELECT k.name, count(*) FROM entries e JOIN kinds k ON k.id = e.kind WHERE e.kind > 2 GROUP BY k.name",
            "SELECT * FROM accounts WHERE closed BETWEEN '2020-03-01' AND '2020-03-31'",
            "SELECT * FROM accounts WHERE owner >= 'owner 899' ORDER BY owner",
            "SELECT * FROM totals ORDER BY total DESC LIMIT 5",
            "SELECT a.*, t.total FROM accounts a JOIN totals t USING (bank, number) WHERE t.n > 30 AND a.closed IS NULL",
            "SELECT e1.id FROM entries e1 JOIN entries e2 ON e2.bank = e1.bank AND e2.number = e1.number AND e2.booked = e1.booked AND e2.id > e1.id WHERE e1.kind = 5",
            "SELECT bank, count(*) FROM accounts WHERE opened > '2017-01-01' GROUP BY bank ORDER BY bank",
            "SELECT booked, sum(amount) OVER (ORDER BY booked) FROM entries WHERE bank = 2 AND kind = 1",
            "WITH big AS (SELECT bank, number FROM totals WHERE total > 2000000) SELECT count(*) FROM entries e JOIN big USING (bank, number)",
        ],
    },
];
