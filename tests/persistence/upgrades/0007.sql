-- A guest has bought a seat of the hall.
INSERT INTO guests (id, email, full_name) VALUES (4611686018427387905, 'cleo@home.example', 'Cleo');
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES
    ('pay-3', 'user:4611686018427387905', 7, 1, now());
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id
) VALUES (1, 7, 7, 7, 'user:4611686018427387905', 10, 'confirmed', now(), now(), 'pay-3');
