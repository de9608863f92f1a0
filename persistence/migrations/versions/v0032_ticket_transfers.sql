-- A ticket can be given to somebody else. Then it has a new code, and the earlier one is void. A row of
-- ticket_transfers is a transfer: its trigger changes the ticket, in the transaction that writes the row.

ALTER TABLE screenings ADD COLUMN transfers_allowed boolean NOT NULL DEFAULT true;
ALTER TABLE events
    ADD COLUMN transfers_allowed boolean NOT NULL DEFAULT true,
    ADD COLUMN moves_allowed boolean NOT NULL DEFAULT true,
    ADD COLUMN moves_until timestamptz;
COMMENT ON COLUMN screenings.transfers_allowed IS 'Whether owners may give tickets to somebody else.';
COMMENT ON COLUMN events.transfers_allowed IS 'As in screenings; so are moves_allowed and moves_until.';

-- The tickets that exist have their number printed under the QR code, and only those are admitted by it.
ALTER TABLE tickets
    ADD COLUMN issue integer NOT NULL DEFAULT 0,
    ADD COLUMN given_to bytea,
    ADD COLUMN number_admits boolean NOT NULL DEFAULT true;
ALTER TABLE tickets ALTER COLUMN number_admits SET DEFAULT false;
COMMENT ON COLUMN tickets.issue IS 'How often it was given to somebody else; codes of other issues are void.';
COMMENT ON COLUMN tickets.given_to IS 'Who has it since then: name and address, encrypted.';
COMMENT ON COLUMN tickets.number_admits IS 'Sold when tickets for seats were printed with their number.';

CREATE TABLE ticket_transfers (
    ticket_id    bigint NOT NULL,
    issue        integer NOT NULL CHECK (issue > 0),
    booking_id   bigint NOT NULL,
    screening_id bigint NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    actor        text NOT NULL,
    given_to     bytea NOT NULL,
    PRIMARY KEY (ticket_id, issue)
);
COMMENT ON COLUMN ticket_transfers.actor IS 'Who gave it away: its owner, or an administrator.';

CREATE TRIGGER ticket_transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticket_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log();

CREATE FUNCTION carry_out_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tickets SET issue = NEW.issue, given_to = NEW.given_to, number_admits = false WHERE id = NEW.ticket_id;
    INSERT INTO outbox (kind, subject, payload) VALUES (
        'mail', 'ticket ' || NEW.ticket_id,
        jsonb_build_object(
            'cause', 'given', 'booking_id', NEW.booking_id, 'screening_id', NEW.screening_id,
            'ticket_id', NEW.ticket_id, 'issue', NEW.issue
        )
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER ticket_transfers_carry_out AFTER INSERT ON ticket_transfers
    FOR EACH ROW EXECUTE FUNCTION carry_out_transfer();

-- Give a ticket away. Transfers and scans of a ticket wait for each other at its row.
--
-- outcome: given, or changed if the ticket has another issue than known_issue; or the code of a refusal.
CREATE FUNCTION give_ticket(
    given_ticket_id bigint, known_issue integer, to_whom bytea, by_actor text, by_hand boolean,
    OUT outcome text, OUT admitted_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    sold record;
    rules record;
BEGIN
    SELECT id, booking_id, screening_id, status, issue INTO sold FROM tickets
    WHERE id = given_ticket_id FOR NO KEY UPDATE;
    SELECT transfers_allowed, ends_at INTO rules FROM (
        SELECT transfers_allowed, ends_at FROM screenings WHERE id = sold.screening_id
        UNION ALL
        SELECT transfers_allowed, ends_at FROM events WHERE id = sold.screening_id
    ) AS visits;
    SELECT check_ins.admitted_at INTO admitted_at FROM check_ins WHERE ticket_id = sold.id;
    IF sold.issue <> known_issue THEN
        outcome := 'changed';
    ELSIF sold.status <> 'confirmed' THEN
        outcome := 'ticket_not_confirmed';
    ELSIF NOT by_hand AND admitted_at IS NOT NULL THEN
        outcome := 'ticket_admitted';
    ELSIF NOT by_hand AND (rules.transfers_allowed IS NOT TRUE OR rules.ends_at <= now()) THEN
        outcome := 'transfers_closed';
    ELSE
        INSERT INTO ticket_transfers (ticket_id, issue, booking_id, screening_id, actor, given_to)
        VALUES (sold.id, sold.issue + 1, sold.booking_id, sold.screening_id, by_actor, to_whom);
        outcome := 'given';
    END IF;
END
$$;

DROP FUNCTION check_in(bigint, text, bigint, text, text, timestamptz, interval, text, text, text);

-- Decide one scan. All scans of a ticket, and a cancellation by its owner, wait for each other at the ticket's row.
--
-- given_issue: the issue that the code says; null if only the number of the ticket is known.
-- outcome: admitted, left, undone, conflict; or the code of a refusal. A scan with a by_scan was made offline: it has
-- happened, whatever is known now, and the earliest one counts.
CREATE FUNCTION check_in(
    given_ticket_id bigint, given_code text, at_screening_id bigint, wanted text, at_gate text,
    scan_at timestamptz, opens_before interval, by_actor text, by_scanner text, by_scan text,
    given_issue integer DEFAULT 0,
    OUT outcome text, OUT found_id bigint, OUT kept check_ins, OUT other_at timestamptz, OUT other_gate text,
    OUT repeated boolean
) LANGUAGE plpgsql AS $$
DECLARE
    sold record;
    visit record;
    earlier check_in_scans;
    code_issue integer;
BEGIN
    repeated := false;
    SELECT id, screening_id, status, issue, number_admits, code = given_code AS is_stored INTO sold FROM tickets
    WHERE id = coalesce((SELECT id FROM tickets WHERE code = given_code), given_ticket_id)
    FOR NO KEY UPDATE;
    IF NOT FOUND OR given_issue IS NULL AND NOT sold.number_admits THEN
        outcome := 'unknown_code';
        RETURN;
    END IF;
    found_id := sold.id;
    SELECT * INTO kept FROM check_ins WHERE ticket_id = sold.id;

    IF by_scan IS NOT NULL THEN
        SELECT * INTO earlier FROM check_in_scans WHERE scanner_id = by_scanner AND scan_id = by_scan;
        IF FOUND THEN
            repeated := true;
            outcome := CASE WHEN earlier.ticket_id = sold.id THEN earlier.result ELSE 'scan_id_reused' END;
            other_at := earlier.other_at;
            other_gate := earlier.other_gate;
            RETURN;
        END IF;
    END IF;

    code_issue := CASE WHEN sold.is_stored THEN 0 ELSE coalesce(given_issue, 0) END;
    SELECT starts_at, ends_at, reentry INTO visit FROM (
        SELECT starts_at, ends_at, reentry FROM screenings WHERE id = sold.screening_id
        UNION ALL
        SELECT starts_at, ends_at, reentry FROM events WHERE id = sold.screening_id
    ) AS visits;

    IF at_screening_id <> sold.screening_id THEN
        outcome := 'wrong_screening';
    ELSIF code_issue <> sold.issue AND NOT (
        -- Who was let in offline before the ticket was given away has been inside.
        by_scan IS NOT NULL AND EXISTS (
            SELECT FROM ticket_transfers
            WHERE ticket_id = sold.id AND issue = code_issue + 1 AND at > scan_at
        )
    ) THEN
        outcome := 'code_replaced';
    ELSIF wanted = 'undo' THEN
        IF kept.ticket_id IS NULL THEN
            outcome := 'not_admitted';
        ELSE
            DELETE FROM check_ins WHERE ticket_id = sold.id;
            outcome := 'undone';
        END IF;
    ELSIF wanted = 'out' THEN
        IF NOT visit.reentry THEN
            outcome := 'reentry_not_allowed';
        ELSIF kept.ticket_id IS NULL THEN
            outcome := 'not_admitted';
        ELSIF NOT kept.inside OR scan_at < kept.changed_at THEN
            outcome := 'not_inside';
        ELSE
            UPDATE check_ins SET inside = false, changed_at = scan_at WHERE ticket_id = sold.id
            RETURNING * INTO kept;
            outcome := 'left';
        END IF;
    ELSIF sold.status = 'pending' THEN
        outcome := 'ticket_unpaid';
    ELSIF sold.status <> 'confirmed' THEN
        outcome := 'ticket_cancelled';
    ELSIF EXISTS (SELECT FROM cancellations_begun WHERE ticket_id = sold.id AND until > now()) THEN
        outcome := 'ticket_cancelled';
    ELSIF scan_at < visit.starts_at - opens_before THEN
        outcome := 'too_early';
    ELSIF scan_at >= visit.ends_at THEN
        outcome := 'screening_over';
    ELSIF kept.ticket_id IS NULL THEN
        INSERT INTO check_ins (ticket_id, screening_id, admitted_at, gate, changed_at)
        VALUES (sold.id, sold.screening_id, scan_at, at_gate, scan_at)
        RETURNING * INTO kept;
        outcome := 'admitted';
    ELSIF NOT kept.inside AND scan_at >= kept.changed_at THEN
        UPDATE check_ins SET inside = true, entries = entries + 1, changed_at = scan_at WHERE ticket_id = sold.id
        RETURNING * INTO kept;
        outcome := 'admitted';
    ELSIF by_scan IS NULL THEN
        outcome := 'already_admitted';
    ELSE
        other_at := kept.admitted_at;
        other_gate := kept.gate;
        UPDATE check_ins SET
            conflicts = conflicts + 1,
            admitted_at = least(admitted_at, scan_at),
            gate = CASE WHEN scan_at < admitted_at THEN at_gate ELSE check_ins.gate END
        WHERE ticket_id = sold.id
        RETURNING * INTO kept;
        outcome := 'conflict';
    END IF;

    IF by_scan IS NOT NULL OR outcome IN ('admitted', 'left', 'undone') THEN
        INSERT INTO check_in_scans (
            ticket_id, screening_id, direction, gate, scanned_at, result, other_at, other_gate,
            actor, scanner_id, scan_id
        ) VALUES (
            sold.id, sold.screening_id, wanted, at_gate, scan_at, outcome, check_in.other_at, check_in.other_gate,
            by_actor, by_scanner, by_scan
        );
    END IF;
END
$$;
