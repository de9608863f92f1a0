-- Refunds: what is owed for cancelled tickets, and for payments that could not be used.

-- A payment that cannot be used claims its id as well, so that it can never pay for a booking later.
ALTER TABLE payments
    ALTER COLUMN booking_id DROP NOT NULL,
    ADD COLUMN vouched_by text CHECK (vouched_by IN ('stripe', 'service'));
COMMENT ON TABLE payments IS 'The one booking that each payment pays for, or the payments that pay for none.';
COMMENT ON COLUMN payments.booking_id IS 'NULL if the payment could not be used and is to be refunded.';
COMMENT ON COLUMN payments.vouched_by IS 'Who has confirmed the payment; NULL if only the buyer has named it.';

-- A provider may vouch for a payment after the buyer has named it; nothing else of a payment ever changes.
DROP TRIGGER payments_append_only ON payments;
CREATE TRIGGER payments_append_only
    BEFORE UPDATE OF payment_id, holder, booking_id, screening_id, created_at OR DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payments();

CREATE TABLE refunds (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id   text NOT NULL REFERENCES payments,
    screening_id bigint NOT NULL,
    booking_id   bigint,
    ticket_id    bigint,
    holder       text NOT NULL,
    amount       numeric(12, 2) NOT NULL CHECK (amount > 0),
    reason       text NOT NULL,
    status       text NOT NULL DEFAULT 'owed' CHECK (status IN ('owed', 'settled')),
    owed_at      timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    reference    text,
    CHECK ((status = 'settled') = (settled_at IS NOT NULL AND reference IS NOT NULL)),
    CONSTRAINT refunds_ticket_key UNIQUE (payment_id, ticket_id)
);
CREATE UNIQUE INDEX refunds_payment_key ON refunds (payment_id) WHERE ticket_id IS NULL;
CREATE INDEX refunds_status_idx ON refunds (status, id);
CREATE INDEX refunds_owed_idx ON refunds (holder) WHERE status = 'owed';
COMMENT ON CONSTRAINT refunds_ticket_key ON refunds IS 'A payment owes the price of a ticket once.';
COMMENT ON INDEX refunds_payment_key IS 'A payment for seats that could not be booked is owed once.';
COMMENT ON COLUMN refunds.booking_id IS 'The booking of the ticket; NULL if no tickets were issued.';
COMMENT ON COLUMN refunds.ticket_id IS 'The ticket that was cancelled, or whose payment could not be used.';
COMMENT ON COLUMN refunds.reason IS 'ticket_cancelled, or the code of the error that refused the payment.';

-- A refund comes into being in the transaction that cancels the ticket. A reservation of the public API is
-- bought under an id of its own, and no payment is named.
CREATE FUNCTION owe_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refunds (payment_id, screening_id, booking_id, ticket_id, holder, amount, reason, owed_at)
    SELECT after.payment_id, after.screening_id, after.booking_id, after.id, after.holder, after.price,
           'ticket_cancelled', after.cancelled_at
    FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
    WHERE before.status = 'confirmed' AND after.status = 'cancelled' AND after.price > 0
      AND after.payment_id NOT LIKE 'reservation:%'
    ORDER BY after.id
    ON CONFLICT (payment_id, ticket_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_owe_refunds AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS tickets_before NEW TABLE AS tickets_after
    FOR EACH STATEMENT EXECUTE FUNCTION owe_refunds();

-- A payment that is to be refunded for a ticket pays for no other ticket of the same seat.
CREATE OR REPLACE FUNCTION refuse_payment_of_another_booking() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused text;
BEGIN
    SELECT payment_id INTO refused
    FROM (SELECT DISTINCT payment_id, booking_id FROM changed_tickets WHERE payment_id IS NOT NULL) AS paid
    WHERE booking_id IS DISTINCT FROM (
        SELECT payments.booking_id FROM payments WHERE payments.payment_id = paid.payment_id
    ) OR EXISTS (
        SELECT FROM refunds
        JOIN tickets AS refunded ON refunded.id = refunds.ticket_id
        JOIN changed_tickets AS changed
          ON changed.payment_id = refunds.payment_id AND changed.seat_id = refunded.seat_id
        WHERE refunds.payment_id = paid.payment_id AND changed.status IN ('pending', 'confirmed')
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is unknown or has paid for another booking', refused
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tickets_payment';
    END IF;
    RETURN NULL;
END
$$;
