-- A disabled webhook with a failed delivery.
INSERT INTO webhooks (id, url, events, secret, disabled_at, disabled_because) VALUES
    (1, 'https://integrator.example/hook', '{booking.created}', '\x03', now(), 'It failed for five days');
INSERT INTO webhook_events (screening_id, epoch, seq, type, body) VALUES (1, 3, 1, 'booking.created', '{}');
INSERT INTO webhook_deliveries (
    webhook_id, position, status, attempt_count, attempts, first_attempt_at, last_attempt_at
) SELECT 1, position, 'dead', 60, '[]', now(), now() FROM webhook_events;
