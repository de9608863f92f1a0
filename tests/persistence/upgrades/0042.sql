-- A provider has received a payment that has booked nothing yet.
INSERT INTO payments_received (payment_id, amount, places) VALUES ('pay-42', 12.5, 1);
