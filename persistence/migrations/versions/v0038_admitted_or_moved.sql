-- A ticket is either admitted or moved by its owner, never both. Several requests of the owner may keep it from the door
-- at once, and the end of one must not let it in while another is being written: each has its own row. If a row has
-- expired, the trigger on moves decides.

ALTER TABLE cancellations_begun
    ADD COLUMN attempt uuid NOT NULL DEFAULT '00000000-0000-4000-8000-000000000000',
    DROP CONSTRAINT cancellations_begun_pkey,
    ADD PRIMARY KEY (ticket_id, attempt);
ALTER TABLE cancellations_begun ALTER COLUMN attempt DROP DEFAULT;
COMMENT ON TABLE cancellations_begun IS
    'Tickets that their owners are cancelling or moving, which are not admitted until the outcome is known.';
COMMENT ON COLUMN cancellations_begun.attempt IS 'The request: there may be several for a ticket.';

DROP FUNCTION begin_cancellation(bigint, interval);

-- Keep a ticket from the door while its owner changes it. Returns when it was admitted, if that came first.
CREATE FUNCTION begin_change(given_ticket_id bigint, by_attempt uuid, lasts interval)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    first_admitted_at timestamptz;
BEGIN
    PERFORM FROM tickets WHERE id = given_ticket_id FOR NO KEY UPDATE;
    SELECT admitted_at INTO first_admitted_at FROM check_ins WHERE ticket_id = given_ticket_id;
    IF NOT FOUND THEN
        DELETE FROM cancellations_begun WHERE (ticket_id, attempt) IN (
            SELECT ticket_id, attempt FROM cancellations_begun WHERE until < now() FOR UPDATE SKIP LOCKED
        );
        INSERT INTO cancellations_begun (ticket_id, attempt, until) VALUES (given_ticket_id, by_attempt, now() + lasts)
        ON CONFLICT (ticket_id, attempt) DO UPDATE SET until = excluded.until;
    END IF;
    RETURN first_admitted_at;
END
$$;

ALTER TABLE ticket_moves ADD COLUMN by_hand boolean;
COMMENT ON COLUMN ticket_moves.by_hand IS
    'Whether an administrator has moved it, which is possible after its admission too; null for earlier moves.';

-- Runs after ticket_moves_carry_out, in the order of their names: that has locked the tickets, so no scan is under way.
CREATE FUNCTION refuse_moves_of_admitted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    used check_ins;
BEGIN
    SELECT check_ins.* INTO used FROM moves JOIN check_ins ON check_ins.ticket_id = moves.ticket_id
    WHERE moves.by_hand IS NOT TRUE
    ORDER BY check_ins.ticket_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % was admitted', used.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tickets_admitted',
                  DETAIL = json_build_array(used.ticket_id, extract(epoch FROM used.admitted_at)::float8);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ticket_moves_not_admitted AFTER INSERT ON ticket_moves REFERENCING NEW TABLE AS moves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_moves_of_admitted();

-- Decide one scan. All scans of a ticket, its moves, and a cancellation by its owner wait for each other at the ticket's
-- row.
--
-- given_issue: the issue that the code says; null if only the number of the ticket is known.
-- outcome: admitted, left, undone, conflict; or the code of a refusal. A scan with a by_scan was made offline: it has
-- happened, whatever is known now, and the earliest one counts.
CREATE OR REPLACE FUNCTION check_in(
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
        outcome := 'booking_in_progress';
        RETURN;
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
