-- A payment that is to be refunded for a ticket buys no other ticket of the same seat. It also refused the move of a
-- ticket that it had bought before to the seat of a cancelled one of the same order, or, since screenings of a room
-- share its seats, to that seat in another screening. So for changed tickets only new payments are compared.
CREATE FUNCTION refuse_new_payment_of_another_booking() RETURNS trigger LANGUAGE plpgsql AS $$
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
        WHERE refunds.payment_id = paid.payment_id AND refunds.reason <> 'ticket_moved'
          AND changed.status IN ('pending', 'confirmed')
          AND NOT EXISTS (
              SELECT FROM tickets_before AS before
              WHERE before.id = changed.id AND before.payment_id = changed.payment_id
          )
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is unknown or has paid for another booking', refused
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tickets_payment';
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER tickets_payment_of_changed ON tickets;
CREATE TRIGGER tickets_payment_of_changed AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS tickets_before NEW TABLE AS changed_tickets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_new_payment_of_another_booking();
