-- One hall of twelve seats with a screening next week and one of last week, and seats in every state.
INSERT INTO users (id, email, full_name, password_hash, is_admin) VALUES
    (1, 'ada@home.example', 'Ada', 'not a hash', true),
    (2, 'bob@home.example', 'Bob', 'not a hash', false);
INSERT INTO cinemas (id, name, city, address) VALUES (1, 'Rex', 'Linz', 'Am Hof 1');
INSERT INTO rooms (id, cinema_id, name) VALUES (1, 1, 'Hall 1');
INSERT INTO movies (id, title, genre, duration_minutes) VALUES (1, 'Low Water', 'Drama', 90);
INSERT INTO seats (id, room_id, row_label, seat_number, seat_type, x, y)
SELECT number, 1, CASE WHEN number <= 6 THEN 'A' ELSE 'B' END, (number - 1) % 6 + 1,
       CASE WHEN number = 12 THEN 'wheelchair' ELSE 'standard' END, (number - 1) % 6, (number - 1) / 6
FROM generate_series(1, 12) AS number;
INSERT INTO screenings (id, room_id, movie_id, title, starts_at, ends_at, price) VALUES
    (1, 1, 1, 'Low Water', now() + interval '7 days', now() + interval '7 days 2 hours', 10.00),
    (2, 1, 1, 'Low Water', now() - interval '7 days', now() - interval '7 days' + interval '2 hours', 9.50);
SELECT setval(pg_get_serial_sequence(of_table, 'id'), 100)
FROM unnest(ARRAY['users', 'cinemas', 'rooms', 'movies', 'seats', 'screenings']) AS of_table;
INSERT INTO screening_epochs (screening_id, epoch, owner, taken_at) VALUES
    (1, 3, 'server-of-yesterday', now() - interval '1 day'), (2, 1, 'server-of-yesterday', now() - interval '8 days');

SELECT nextval('hold_ids'), nextval('ticket_ids');
INSERT INTO holds (screening_id, id, seat_id, holder, reserved_at, expires_at, status, extensions, closed_at) VALUES
    (1, 1, 1, 'user:2', now(), now() + interval '1 hour', 'active', 1, NULL),
    (1, 2, 2, 'user:2', now() - interval '2 hours', now() - interval '1 hour', 'expired', 0, now() - interval '1 hour'),
    (1, 3, 2, 'client:ana', now() - interval '1 hour', now(), 'released', 0, now() - interval '50 minutes'),
    (1, 4, 3, 'user:2', now() - interval '1 hour', now(), 'converted', 0, now() - interval '50 minutes');
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES
    ('pay-1', 'user:2', 1, 1, now() - interval '50 minutes'),
    ('pay-2', 'user:2', 5, 2, now() - interval '9 days');
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, cancelled_at, payment_id,
    payment_deadline
) VALUES
    (1, 1, 1, 3, 'user:2', 10, 'confirmed', now() - interval '50 minutes', now() - interval '50 minutes', NULL, 'pay-1', NULL),
    (1, 2, 1, 4, 'user:2', 10, 'confirmed', now() - interval '50 minutes', now() - interval '50 minutes', NULL, 'pay-1', NULL),
    (1, 3, 3, 5, 'user:2', 10, 'pending', now(), NULL, NULL, NULL, now() + interval '1 hour'),
    (1, 4, 4, 6, 'user:2', 10, 'cancelled', now() - interval '2 hours', NULL, now() - interval '1 hour', NULL, now()),
    (2, 5, 5, 3, 'user:2', 9.50, 'confirmed', now() - interval '9 days', now() - interval '9 days', NULL, 'pay-2', NULL);
INSERT INTO screening_events (screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status) VALUES
    (1, 3, 1, now() - interval '50 minutes', 'seats_booked', 'user:2', '{3,4}', '{held,available}', 'booked'),
    (1, 3, 2, now(), 'seats_held', 'user:2', '{1}', '{available}', 'held');
INSERT INTO idempotency_keys (scope, key, fingerprint, status, body) VALUES
    ('user:2', 'key-1', '\x01', 201, '{}');
