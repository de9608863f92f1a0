-- An administrator has moved a ticket to its own seat, and its owner is moving it.
INSERT INTO ticket_moves (
    ticket_id, screening_id, epoch, seq, at, actor, booking_id, seat_id, price, paid, from_screening_id, from_seat_id,
    from_price, from_revision, owed, request_id, by_hand
) VALUES (11, 1, 3, 38, now(), 'user:1', 11, 12, 10, '[["pay-9", 1000]]', 1, 12, 10, 0, '[]', 'request-38', true);
INSERT INTO cancellations_begun (ticket_id, attempt, until)
VALUES (11, '00000000-0000-4000-8000-000000000038', now());
