-- A seat was given away at the counter.
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, sold_by, free_because
) VALUES (1, 9, 9, 10, 'user:2', 0, 'confirmed', now(), now(), 'user:1', 'Press');
