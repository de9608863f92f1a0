-- One refund is owed for a payment without tickets, one was settled.
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at, vouched_by) VALUES
    ('pay-4', 'user:2', NULL, 1, now(), 'stripe'), ('pay-5', 'user:2', NULL, 1, now(), NULL);
INSERT INTO refunds (payment_id, screening_id, holder, amount, reason, status, settled_at, reference) VALUES
    ('pay-4', 1, 'user:2', 10, 'seats_unavailable', 'owed', NULL, NULL),
    ('pay-5', 1, 'user:2', 12.34, 'reservation_expired', 'settled', now(), 'transfer 1');
