-- Tickets move to other seats, also of other screenings. A row of ticket_moves is a move: its trigger changes the
-- ticket, in the transaction that writes the row.

ALTER TABLE screenings
    ADD COLUMN moves_allowed boolean NOT NULL DEFAULT true,
    ADD COLUMN moves_until timestamptz;
COMMENT ON COLUMN screenings.moves_allowed IS 'Whether holders may move tickets from and to this screening.';
COMMENT ON COLUMN screenings.moves_until IS 'Until when they may; null for the start of the screening.';

ALTER TABLE tickets ADD COLUMN paid jsonb;
COMMENT ON COLUMN tickets.paid IS
    'Of a ticket that has been moved: how many cents of which payments are kept for it, [["pi_1", 1250], ...].';

CREATE TABLE ticket_moves (
    number            bigint GENERATED ALWAYS AS IDENTITY,
    ticket_id         bigint NOT NULL,
    screening_id      bigint NOT NULL,
    epoch             bigint NOT NULL,
    seq               bigint NOT NULL,
    at                timestamptz NOT NULL,
    actor             text NOT NULL,
    booking_id        bigint NOT NULL,
    seat_id           bigint NOT NULL,
    price             numeric(10, 2) NOT NULL,
    paid              jsonb NOT NULL,
    from_screening_id bigint NOT NULL,
    from_seat_id      bigint NOT NULL,
    from_price        numeric(10, 2) NOT NULL,
    from_revision     integer NOT NULL,
    payment_id        text,
    owed              jsonb NOT NULL,
    PRIMARY KEY (ticket_id, screening_id, epoch, seq)
);
CREATE INDEX ticket_moves_booking_idx ON ticket_moves (booking_id);
CREATE INDEX ticket_moves_payment_idx ON ticket_moves (payment_id) WHERE payment_id IS NOT NULL;
COMMENT ON COLUMN ticket_moves.seq IS 'With screening_id and epoch, the event tickets_moved in the log.';
COMMENT ON COLUMN ticket_moves.paid IS 'As in tickets, after the move.';
COMMENT ON COLUMN ticket_moves.from_revision IS
    'Revision of the screening that the ticket left for another one, so that calendar entries go on counting.';
COMMENT ON COLUMN ticket_moves.payment_id IS 'Paid what the seats of this move cost more in all.';
COMMENT ON COLUMN ticket_moves.owed IS 'What is owed because the ticket has become cheaper, as in paid.';

CREATE TRIGGER ticket_moves_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticket_moves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log();

CREATE FUNCTION carry_out_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused text;
    number_left bigint;
BEGIN
    -- A payment pays for one booking, and for a move only if it has paid for nothing else.
    SELECT payment_id INTO refused
    FROM (
        SELECT DISTINCT payment_id, booking_id, screening_id, epoch, seq FROM moves WHERE payment_id IS NOT NULL
    ) AS paid
    WHERE booking_id IS DISTINCT FROM (
        SELECT payments.booking_id FROM payments WHERE payments.payment_id = paid.payment_id
    ) OR EXISTS (
        SELECT FROM tickets WHERE tickets.booking_id = paid.booking_id AND tickets.payment_id = paid.payment_id
    ) OR EXISTS (
        SELECT FROM ticket_moves AS earlier
        WHERE earlier.payment_id = paid.payment_id
          AND (earlier.screening_id, earlier.epoch, earlier.seq) <> (paid.screening_id, paid.epoch, paid.seq)
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is unknown or has paid for something else', refused
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tickets_payment';
    END IF;

    -- A seat may pass from one ticket to another, and rows change one after the other: first all seats are left.
    UPDATE tickets SET seat_id = NULL
    FROM moves
    WHERE tickets.id = moves.ticket_id AND tickets.screening_id = moves.from_screening_id
      AND tickets.seat_id = moves.from_seat_id AND tickets.price = moves.from_price
      AND tickets.status = 'confirmed';
    GET DIAGNOSTICS number_left = ROW_COUNT;
    IF number_left <> (SELECT count(*) FROM moves) THEN
        RAISE EXCEPTION 'a ticket is not where it should move from'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tickets_place';
    END IF;
    UPDATE tickets
    SET screening_id = moves.screening_id, seat_id = moves.seat_id, price = moves.price, paid = moves.paid
    FROM moves
    WHERE tickets.id = moves.ticket_id AND tickets.screening_id = moves.from_screening_id;

    INSERT INTO refunds (payment_id, screening_id, booking_id, ticket_id, holder, amount, reason, owed_at)
    SELECT part ->> 0, moves.from_screening_id, moves.booking_id, moves.ticket_id, tickets.holder,
           (part ->> 1)::bigint * 0.01, 'ticket_moved', moves.at
    FROM moves
    JOIN tickets ON tickets.id = moves.ticket_id AND tickets.screening_id = moves.screening_id
    CROSS JOIN jsonb_array_elements(moves.owed) AS part
    ORDER BY moves.ticket_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER ticket_moves_carry_out AFTER INSERT ON ticket_moves REFERENCING NEW TABLE AS moves
    FOR EACH STATEMENT EXECUTE FUNCTION carry_out_moves();

-- A payment may owe for a ticket several times: for each move to a cheaper seat, and for its cancellation.
ALTER TABLE refunds DROP CONSTRAINT refunds_ticket_key;
CREATE UNIQUE INDEX refunds_ticket_key ON refunds (payment_id, ticket_id) WHERE reason <> 'ticket_moved';
CREATE INDEX refunds_payment_idx ON refunds (payment_id);
COMMENT ON INDEX refunds_ticket_key IS 'A payment owes for a ticket that ends once.';
COMMENT ON COLUMN refunds.reason IS
    'ticket_cancelled, ticket_moved (to a cheaper seat), or the code of the error that refused the payment.';

CREATE OR REPLACE FUNCTION owe_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refunds (payment_id, screening_id, booking_id, ticket_id, holder, amount, reason, owed_at)
    SELECT kept.payment_id, after.screening_id, after.booking_id, after.id, after.holder, kept.amount,
           'ticket_cancelled', after.cancelled_at
    FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
    CROSS JOIN LATERAL (
        SELECT after.payment_id, after.price AS amount WHERE after.paid IS NULL
        UNION ALL
        SELECT part ->> 0, (part ->> 1)::bigint * 0.01 FROM jsonb_array_elements(after.paid) AS part
    ) AS kept
    WHERE before.status = 'confirmed' AND after.status = 'cancelled' AND kept.amount > 0
      AND kept.payment_id NOT LIKE 'reservation:%'
    ORDER BY after.id
    ON CONFLICT (payment_id, ticket_id) WHERE reason <> 'ticket_moved' DO NOTHING;
    RETURN NULL;
END
$$;

-- A payment that is to be refunded for a ticket pays for no other ticket of the same seat; but a ticket that has
-- become cheaper still stands.
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
        WHERE refunds.payment_id = paid.payment_id AND refunds.reason <> 'ticket_moved'
          AND changed.status IN ('pending', 'confirmed')
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is unknown or has paid for another booking', refused
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tickets_payment';
    END IF;
    RETURN NULL;
END
$$;

-- The mail about the move says what is owed for it.
DROP TRIGGER refunds_owed ON refunds;
CREATE TRIGGER refunds_owed AFTER INSERT ON refunds FOR EACH ROW
    WHEN (NEW.reason NOT IN ('ticket_cancelled', 'ticket_moved'))
    EXECUTE FUNCTION enqueue_refund();
