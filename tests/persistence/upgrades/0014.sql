-- Somebody has deleted the account, and has a ticket left.
INSERT INTO users (id, email, password_hash, deleted_at, last_email) VALUES
    (3, 'deleted-3', '', now(), 'dora@home.example');
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES ('pay-6', 'user:3', 8, 1, now());
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id
) VALUES (1, 8, 8, 8, 'user:3', 10, 'confirmed', now(), now(), 'pay-6');
