-- The database decides between the admission and the cancellation of a ticket by its owner, as it does for moves: writing
-- a cancellation may take longer than the ticket is kept from the door.

-- The caller has locked the tickets, so no scan is under way.
CREATE FUNCTION refuse_admitted(ticket_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    used check_ins;
BEGIN
    SELECT * INTO used FROM check_ins WHERE ticket_id = ANY (ticket_ids) ORDER BY ticket_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % was admitted', used.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tickets_admitted',
                  DETAIL = json_build_array(used.ticket_id, extract(epoch FROM used.admitted_at)::float8);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION refuse_moves_of_admitted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_admitted(ARRAY(SELECT ticket_id FROM moves WHERE by_hand IS NOT TRUE));
    RETURN NULL;
END
$$;
