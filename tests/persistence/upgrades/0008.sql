-- A message that has been given up.
INSERT INTO outbox (kind, subject, payload, status, attempts, finished_at, error) VALUES
    ('mail', 'booking 1', '{"cause": "booked", "booking_id": 1}', 'dead', 60, now(), 'Connection refused');
