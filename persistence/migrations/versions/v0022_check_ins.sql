-- Admission at the door. It is decided here and not by the screening's owner: scanners come to any server, and one
-- statement admits a ticket or tells who was admitted with it.

ALTER TABLE screenings ADD COLUMN reentry boolean NOT NULL DEFAULT false;
ALTER TABLE events ADD COLUMN reentry boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN screenings.reentry IS 'Whether visitors may leave and come back with their ticket.';

CREATE TABLE check_ins (
    ticket_id    bigint PRIMARY KEY,
    screening_id bigint NOT NULL,
    admitted_at  timestamptz NOT NULL,
    gate         text NOT NULL,
    inside       boolean NOT NULL DEFAULT true,
    entries      integer NOT NULL DEFAULT 1,
    changed_at   timestamptz NOT NULL,
    conflicts    integer NOT NULL DEFAULT 0
);
CREATE INDEX check_ins_screening_idx ON check_ins (screening_id, admitted_at, ticket_id);
COMMENT ON TABLE check_ins IS 'The tickets that have been admitted.';
COMMENT ON COLUMN check_ins.admitted_at IS 'Time of the first scan, whichever was sent first.';
COMMENT ON COLUMN check_ins.inside IS 'False while the visitor has left and may come back.';
COMMENT ON COLUMN check_ins.changed_at IS 'When the visitor last came or left.';
COMMENT ON COLUMN check_ins.conflicts IS 'Further scans by scanners that were offline: others may have entered with it.';

CREATE TABLE check_in_scans (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id    bigint NOT NULL,
    screening_id bigint NOT NULL,
    direction    text NOT NULL CHECK (direction IN ('in', 'out', 'undo')),
    gate         text NOT NULL,
    scanned_at   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    result       text NOT NULL,
    other_at     timestamptz,
    other_gate   text,
    actor        text NOT NULL,
    scanner_id   text,
    scan_id      text,
    CHECK ((scanner_id IS NULL) = (scan_id IS NULL))
);
CREATE INDEX check_in_scans_ticket_idx ON check_in_scans (ticket_id, id);
CREATE UNIQUE INDEX check_in_scans_scan_key ON check_in_scans (scanner_id, scan_id) WHERE scan_id IS NOT NULL;
COMMENT ON TABLE check_in_scans IS
    'Scans that have changed something, and all scans of scanners that were offline. Those have a scan_id.';
COMMENT ON COLUMN check_in_scans.other_at IS 'Of a conflict: when the other one was admitted.';

CREATE TABLE cancellations_begun (
    ticket_id bigint PRIMARY KEY,
    until     timestamptz NOT NULL
);
COMMENT ON TABLE cancellations_begun IS
    'Tickets that their owners are cancelling, which are not admitted until the outcome is known.';

-- Decide one scan. All scans of a ticket, and a cancellation by its owner, wait for each other at the ticket's row.
--
-- outcome: admitted, left, undone, conflict; or the code of a refusal. A scan with a by_scan was made offline: it has
-- happened, whatever is known now, and the earliest one counts.
CREATE FUNCTION check_in(
    given_ticket_id bigint, given_code text, at_screening_id bigint, wanted text, at_gate text,
    scan_at timestamptz, opens_before interval, by_actor text, by_scanner text, by_scan text,
    OUT outcome text, OUT found_id bigint, OUT kept check_ins, OUT other_at timestamptz, OUT other_gate text,
    OUT repeated boolean
) LANGUAGE plpgsql AS $$
DECLARE
    sold record;
    visit record;
    earlier check_in_scans;
BEGIN
    repeated := false;
    SELECT id, screening_id, status INTO sold FROM tickets
    WHERE id = coalesce(given_ticket_id, (SELECT id FROM tickets WHERE code = given_code))
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
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

    SELECT starts_at, ends_at, reentry INTO visit FROM (
        SELECT starts_at, ends_at, reentry FROM screenings WHERE id = sold.screening_id
        UNION ALL
        SELECT starts_at, ends_at, reentry FROM events WHERE id = sold.screening_id
    ) AS visits;

    IF at_screening_id <> sold.screening_id THEN
        outcome := 'wrong_screening';
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

-- Keep a ticket from the door while its owner cancels it. Returns when it was admitted, if that came first.
CREATE FUNCTION begin_cancellation(given_ticket_id bigint, lasts interval) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    first_admitted_at timestamptz;
BEGIN
    PERFORM FROM tickets WHERE id = given_ticket_id FOR NO KEY UPDATE;
    SELECT admitted_at INTO first_admitted_at FROM check_ins WHERE ticket_id = given_ticket_id;
    IF NOT FOUND THEN
        DELETE FROM cancellations_begun WHERE ticket_id IN (
            SELECT ticket_id FROM cancellations_begun WHERE until < now() FOR UPDATE SKIP LOCKED
        );
        INSERT INTO cancellations_begun (ticket_id, until) VALUES (given_ticket_id, now() + lasts)
        ON CONFLICT (ticket_id) DO UPDATE SET until = excluded.until;
    END IF;
    RETURN first_admitted_at;
END
$$;
