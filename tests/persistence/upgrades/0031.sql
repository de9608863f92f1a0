-- Requests are named: of a booking, of its move, of its mail, and of what webhooks are told.
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES ('pay-9', 'user:2', 11, 1, now());
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id, request_id
) VALUES (1, 11, 11, 9, 'user:2', 10, 'confirmed', now(), now(), 'pay-9', 'request-1');
INSERT INTO screening_events (
    screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status, request_id
) VALUES (1, 3, 10, now(), 'tickets_issued', 'user:2', '{9}', '{available}', 'confirmed', 'request-1');
INSERT INTO ticket_moves (
    ticket_id, screening_id, epoch, seq, at, actor, booking_id, seat_id, price, paid, from_screening_id, from_seat_id,
    from_price, from_revision, owed, request_id
) VALUES (11, 1, 3, 11, now(), 'user:2', 11, 12, 10, '[["pay-9", 1000]]', 1, 9, 10, 0, '[]', 'request-2');
INSERT INTO webhook_causes (screening_id, epoch, seq, at, kind, ids, seat_ids, to_status, request_id, trace)
VALUES (1, 3, 10, now(), 'tickets_issued', '{11}', '{9}', 'confirmed', 'request-1', '00-1-2-01');
INSERT INTO webhook_events (screening_id, epoch, seq, type, body, trace)
VALUES (1, 3, 9, 'booking.created', '{"request_id": "request-0"}', '00-1-2-01');
