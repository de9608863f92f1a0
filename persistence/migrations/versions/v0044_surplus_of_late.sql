-- Tickets that have lapsed and are booked again by a late payment are inserted one after the other, each in a transaction.
-- So new tickets, too, may be the last ones of a payment that was recorded before; the surplus is recorded with them.
CREATE FUNCTION owe_surplus_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid_id text;
BEGIN
    FOR paid_id IN
        SELECT DISTINCT payment_id FROM new_tickets JOIN payments_received USING (payment_id)
        WHERE confirmed_at IS NOT NULL ORDER BY payment_id
    LOOP
        PERFORM owe_surplus(paid_id);
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_owe_surplus_of_new AFTER INSERT ON tickets REFERENCING NEW TABLE AS new_tickets
    FOR EACH STATEMENT EXECUTE FUNCTION owe_surplus_of_new();
