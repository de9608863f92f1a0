-- Bookings and holds are written with fewer index entries, and one check of payments per statement.

-- The foreign key looked up the payment of every single ticket. Payments never change, so one query over all
-- tickets of a statement enforces the same rule.
CREATE FUNCTION refuse_change_of_payments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payments never change';
END
$$;
CREATE TRIGGER payments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payments();

CREATE FUNCTION refuse_payment_of_another_booking() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused text;
BEGIN
    SELECT payment_id INTO refused FROM changed_tickets AS ticket
    WHERE payment_id IS NOT NULL AND booking_id IS DISTINCT FROM (
        SELECT payments.booking_id FROM payments WHERE payments.payment_id = ticket.payment_id
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is unknown or has paid for another booking', refused
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tickets_payment';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_payment_of_new AFTER INSERT ON tickets REFERENCING NEW TABLE AS changed_tickets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_payment_of_another_booking();
CREATE TRIGGER tickets_payment_of_changed AFTER UPDATE ON tickets REFERENCING NEW TABLE AS changed_tickets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_payment_of_another_booking();

ALTER TABLE tickets DROP CONSTRAINT tickets_payment_fkey;
ALTER TABLE payments DROP CONSTRAINT payments_payment_id_booking_id_key;

-- Only tickets of events have a code.
ALTER TABLE tickets DROP CONSTRAINT tickets_code_key;
CREATE UNIQUE INDEX tickets_code_key ON tickets (code) WHERE code IS NOT NULL;

-- Only places are looked up by their reservation (persistence/reservations.py).
DROP INDEX holds_reservation_idx;
CREATE INDEX holds_reservation_idx ON holds (screening_id, reservation_id) WHERE seat_id < 0;
