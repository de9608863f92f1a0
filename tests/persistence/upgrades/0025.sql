-- A ticket of Bob's has moved to a cheaper seat.
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES ('pay-7', 'user:2', 10, 1, now());
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id
) VALUES (1, 10, 10, 12, 'user:2', 12, 'confirmed', now(), now(), 'pay-7');
INSERT INTO ticket_moves (
    ticket_id, screening_id, epoch, seq, at, actor, booking_id, seat_id, price, paid, from_screening_id, from_seat_id,
    from_price, from_revision, owed
) VALUES (10, 1, 3, 9, now(), 'user:2', 10, 11, 10, '[["pay-7", 1000]]', 1, 12, 12, 0, '[["pay-7", 200]]');
