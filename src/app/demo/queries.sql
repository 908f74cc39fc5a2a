-- A customer's latest 50 orders of the last 30 days, for the account page.
SELECT * FROM orders
WHERE user_id = 123 AND created_at > now() - interval '30 days'
ORDER BY created_at DESC
LIMIT 50;

-- Log in by e-mail address, however it is capitalised.
SELECT id, name FROM users WHERE lower(email) = 'customer42@example.com';

-- The warehouse's queue: the 20 orders that have waited longest.
SELECT id, user_id, total, created_at FROM orders
WHERE status = 'pending'
ORDER BY created_at
LIMIT 20;

-- Everything sold of one product.
SELECT p.name, i.order_id, i.quantity, i.price
FROM products p
JOIN items i ON i.product_id = p.id
WHERE p.sku = 'SKU-000077';

-- The back office's list of customers, each with the date of the last order.
SELECT u.id, u.name, (SELECT max(o.created_at) FROM orders o WHERE o.user_id = u.id) AS last_order
FROM users u
WHERE u.id BETWEEN 122 AND 124;

-- Payments of a customer that failed lately.
SELECT created_at, details FROM events
WHERE user_id = 123 AND kind = 'payment failed'
ORDER BY created_at DESC
LIMIT 20;

-- Parcels that left in the last two hours, and the orders in them.
SELECT s.tracking_code, s.carrier, o.id, o.user_id, o.total
FROM shipments s
JOIN orders o ON o.id = s.order_id
WHERE s.dispatched_at > now() - interval '2 hours';

-- Orders that were delivered but never paid, with what was in them.
SELECT o.id, o.user_id, i.product_id, i.quantity
FROM orders o
JOIN items i ON i.order_id = o.id
WHERE o.status = 'delivered' AND NOT o.paid;

-- Open tickets of customers who visited the shop from Graz.
SELECT DISTINCT t.id, t.subject
FROM events e
JOIN tickets t ON t.user_id = e.user_id
WHERE e.country = 'AT' AND e.region = 'Styria' AND e.city = 'Graz' AND t.open;

-- The export of what visitors did in the last four months, in order of time.
SELECT * FROM events
WHERE created_at > now() - interval '120 days'
ORDER BY created_at;

-- The ten products that are most often bought three at a time, unpaid orders left out.
SELECT i.product_id, count(*) AS orders
FROM orders o
JOIN items i ON i.order_id = o.id
WHERE o.paid AND i.quantity = 3
GROUP BY i.product_id
ORDER BY orders DESC
LIMIT 10;

-- What is in one order.
SELECT i.line, p.name, i.quantity, i.price
FROM items i
JOIN products p ON p.id = i.product_id
WHERE i.order_id = 4242
ORDER BY i.line;

-- How many orders there are of each status.
SELECT status, count(*) FROM orders GROUP BY status;
