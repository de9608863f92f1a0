-- A payment that has brought more than its tickets cost owes the difference from the transaction on that books or confirms
-- the tickets. So what a provider has received is recorded before the tickets are booked.

CREATE TABLE payments_received (
    payment_id  text PRIMARY KEY,
    amount      numeric(12, 2) NOT NULL CHECK (amount >= 0),
    places      integer NOT NULL CHECK (places > 0),
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE payments_received IS 'What providers have received, for payments that may not have booked anything yet.';
COMMENT ON COLUMN payments_received.payment_id IS 'The id under which the payment books; the payment may be unknown yet.';
COMMENT ON COLUMN payments_received.amount IS 'Without what was paid for something else.';
COMMENT ON COLUMN payments_received.places IS 'How many seats or tickets the payment is for.';

-- Record what a payment has brought beyond the prices of its tickets, once, when it has paid for all of them. The prices
-- of tickets that have moved are no longer those that the payment was for.
CREATE FUNCTION owe_surplus(paid_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM payments_received WHERE payment_id = paid_id) THEN
        RETURN;
    END IF;
    -- Whoever settles what was paid back locks the payment first.
    PERFORM FROM payments WHERE payment_id = paid_id AND vouched_by IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO refunds (payment_id, screening_id, booking_id, holder, amount, reason, seat_ids)
    SELECT paid_id, min(tickets.screening_id), min(tickets.booking_id), min(tickets.holder),
           received.amount - sum(tickets.price), 'surplus',
           array_agg(tickets.seat_id ORDER BY tickets.id) FILTER (WHERE tickets.seat_id IS NOT NULL)
    FROM payments_received AS received JOIN tickets ON tickets.payment_id = received.payment_id
    WHERE received.payment_id = paid_id AND tickets.confirmed_at IS NOT NULL
    GROUP BY received.amount, received.places
    HAVING count(*) = received.places AND bool_and(tickets.paid IS NULL) AND received.amount > sum(tickets.price)
    ON CONFLICT (payment_id) WHERE ticket_id IS NULL DO NOTHING;
END
$$;

CREATE FUNCTION owe_surplus_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM owe_surplus(NEW.payment_id);
    RETURN NULL;
END
$$;
-- Deferred: the tickets are written after their payment.
CREATE CONSTRAINT TRIGGER payments_owe_surplus AFTER INSERT OR UPDATE OF vouched_by ON payments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.booking_id IS NOT NULL AND NEW.vouched_by IS NOT NULL)
    EXECUTE FUNCTION owe_surplus_of_row();
CREATE CONSTRAINT TRIGGER tickets_owe_surplus AFTER UPDATE OF status ON tickets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status = 'pending' AND NEW.status = 'confirmed' AND NEW.payment_id IS NOT NULL)
    EXECUTE FUNCTION owe_surplus_of_row();
