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
    SELECT payment_id INTO refused
    FROM (SELECT DISTINCT payment_id, booking_id FROM changed_tickets WHERE payment_id IS NOT NULL) AS paid
    WHERE booking_id IS DISTINCT FROM (
        SELECT payments.booking_id FROM payments WHERE payments.payment_id = paid.payment_id
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

-- Tickets by id need no index of their own if the key begins with it. By screening, live tickets are found by
-- tickets_live_seat_key and the few others by an index that sales do not write.
ALTER TABLE tickets DROP CONSTRAINT tickets_pkey, ADD PRIMARY KEY (id, screening_id);
DROP INDEX tickets_id_key;
CREATE INDEX tickets_past_idx ON tickets (screening_id) WHERE status IN ('cancelled', 'lapsed');

-- New tickets are the last ones in this order, which is cheaper to insert; it is read backwards.
DROP INDEX tickets_booked_idx;
CREATE INDEX tickets_booked_idx ON tickets (booked_at, id);

-- Only tickets of events have a code.
ALTER TABLE tickets DROP CONSTRAINT tickets_code_key;
CREATE UNIQUE INDEX tickets_code_key ON tickets (code) WHERE code IS NOT NULL;

-- Holds are looked up by holder anyway, so their key begins with it.
ALTER TABLE holds DROP CONSTRAINT holds_pkey, ADD PRIMARY KEY (holder, id, screening_id);
DROP INDEX holds_holder_idx;

-- Only places are looked up by their reservation (persistence/reservations.py).
DROP INDEX holds_reservation_idx;
CREATE INDEX holds_reservation_idx ON holds (screening_id, reservation_id) WHERE seat_id < 0;
