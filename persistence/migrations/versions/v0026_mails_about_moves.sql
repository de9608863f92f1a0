-- Whoever has moved tickets gets the confirmation again: with new QR codes, and a calendar entry that replaces the
-- earlier one. It is about the screening that they have moved to, and about the one that others stay in.
CREATE FUNCTION enqueue_confirmations_of_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id,
           jsonb_build_object('cause', 'booked', 'booking_id', booking_id, 'screening_id', screening_id)
    FROM (
        SELECT tickets.booking_id, tickets.screening_id, holder, bool_or(tickets.paper IS NOT NULL) AS has_paper
        FROM tickets
        WHERE tickets.booking_id IN (SELECT moves.booking_id FROM moves) AND status = 'confirmed'
          AND tickets.screening_id IN (
              SELECT moves.screening_id FROM moves UNION SELECT moves.from_screening_id FROM moves
          )
        GROUP BY tickets.booking_id, tickets.screening_id, holder
    ) AS moved
    WHERE has_paper OR has_mail_address(holder);
    RETURN NULL;
END
$$;
-- By name, this runs after the trigger that carries the moves out.
CREATE TRIGGER ticket_moves_confirmation AFTER INSERT ON ticket_moves REFERENCING NEW TABLE AS moves
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_confirmations_of_moved();

-- What is owed for a move to cheaper seats is told in a mail of its own.
DROP TRIGGER refunds_owed ON refunds;
CREATE TRIGGER refunds_owed AFTER INSERT ON refunds FOR EACH ROW
    WHEN (NEW.reason <> 'ticket_cancelled')
    EXECUTE FUNCTION enqueue_refund();
