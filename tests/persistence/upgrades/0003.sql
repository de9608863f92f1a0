-- An event with a sold and a held place, and a free room with a held seat.
INSERT INTO events (id, title, venue, starts_at, ends_at) VALUES
    (4, 'Open Air', 'Quay', now() + interval '30 days', now() + interval '30 days 3 hours');
INSERT INTO ticket_types (id, event_id, name, price, capacity, max_per_order) VALUES (1, 4, 'Standing', 20, 100, 6);
SELECT setval(pg_get_serial_sequence('ticket_types', 'id'), 100);
INSERT INTO screening_epochs (screening_id, epoch, owner, taken_at) VALUES (4, 1, 'server-of-yesterday', now());
INSERT INTO holds (
    screening_id, id, seat_id, holder, reserved_at, expires_at, status, extensions, closed_at, reservation_id
) VALUES (4, 5, -1048577, 'session:ana', now(), now() + interval '1 hour', 'active', 0, NULL, 5);
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES
    ('reservation:6', 'user:2', 6, 4, now());
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id, code
) VALUES (4, 6, 6, -1048578, 'user:2', 20, 'confirmed', now(), now(), 'reservation:6', 'TKT-2B7F-9Q4K-M3XW-8RDH');
INSERT INTO free_rooms (id, name) VALUES (5, 'test_room');
INSERT INTO screening_epochs (screening_id, epoch, owner, taken_at) VALUES (5, 1, 'server-of-yesterday', now());
