-- Next week's screening was moved by an hour, and a payment for seats that were taken is owed in another currency.
UPDATE screenings SET starts_at = starts_at + interval '1 hour', ends_at = ends_at + interval '1 hour' WHERE id = 1;
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at) VALUES ('pay-8', 'user:2', NULL, 1, now());
INSERT INTO refunds (payment_id, holder, amount, reason, screening_id, seat_ids, currency, owed_at)
VALUES ('pay-8', 'user:2', 20, 'seats_unavailable', 1, '{3,4}', 'USD', now());
