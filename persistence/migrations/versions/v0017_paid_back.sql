-- What providers have paid back settles what is owed for the payment, whichever of the two comes first.

CREATE TABLE paid_back (
    payment_id text PRIMARY KEY,
    amount     numeric,
    reference  text NOT NULL
);
COMMENT ON TABLE paid_back IS 'What a provider has paid back of each payment; the payment itself may be unknown yet.';
COMMENT ON COLUMN paid_back.payment_id IS 'The id that the provider gave, without the prefix vouched:.';
COMMENT ON COLUMN paid_back.amount IS 'The sum of all refunds so far; NULL if everything has been paid back.';
COMMENT ON COLUMN paid_back.reference IS 'The provider''s id of the latest refund.';

-- Settle what is owed for a payment, oldest first, as far as the money that has been paid back goes. Only a payment
-- that somebody has vouched for: anybody can name the id of another buyer's payment.
-- Locks are taken in the order payments, paid_back, refunds. A refund that is being inserted has locked its payment.
CREATE FUNCTION settle_paid_back(any_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    given_id text := regexp_replace(any_id, '^vouched:', '');
    back paid_back;
    rest numeric;
    owed record;
BEGIN
    SELECT * INTO back FROM paid_back WHERE payment_id = given_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT back.amount - coalesce(sum(amount), 0) INTO rest
    FROM refunds JOIN payments USING (payment_id)
    WHERE payment_id IN (given_id, 'vouched:' || given_id) AND vouched_by IS NOT NULL AND status = 'settled';
    FOR owed IN
        SELECT refunds.id, amount FROM refunds JOIN payments USING (payment_id)
        WHERE payment_id IN (given_id, 'vouched:' || given_id) AND vouched_by IS NOT NULL AND status = 'owed'
        ORDER BY refunds.id
        FOR UPDATE OF refunds
    LOOP
        IF back.amount IS NULL OR owed.amount <= rest THEN
            UPDATE refunds SET status = 'settled', settled_at = now(), reference = back.reference
            WHERE id = owed.id;
            rest := rest - owed.amount;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION settle_paid_back_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM settle_paid_back(NEW.payment_id);
    RETURN NULL;
END
$$;
-- By name, this runs after the triggers that announce what is owed.
CREATE TRIGGER refunds_settle_paid_back AFTER INSERT ON refunds FOR EACH ROW
    EXECUTE FUNCTION settle_paid_back_of_row();
CREATE TRIGGER payments_settle_paid_back AFTER UPDATE OF vouched_by ON payments FOR EACH ROW
    WHEN (OLD.vouched_by IS NULL AND NEW.vouched_by IS NOT NULL)
    EXECUTE FUNCTION settle_paid_back_of_row();
CREATE TRIGGER paid_back_settle AFTER INSERT OR UPDATE ON paid_back FOR EACH ROW
    EXECUTE FUNCTION settle_paid_back_of_row();
