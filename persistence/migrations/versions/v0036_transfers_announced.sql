-- A transfer is told to webhooks. The server names the request of a transaction in the settings frontrow.request_id
-- and frontrow.trace, which end with the transaction.

CREATE FUNCTION present_request_id() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('frontrow.request_id', true), '')
$$;

CREATE FUNCTION present_trace() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('frontrow.trace', true), '')
$$;

CREATE OR REPLACE FUNCTION carry_out_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tickets SET issue = NEW.issue, given_to = NEW.given_to, number_admits = false WHERE id = NEW.ticket_id;
    INSERT INTO outbox (kind, subject, payload) VALUES (
        'mail', 'ticket ' || NEW.ticket_id,
        jsonb_strip_nulls(jsonb_build_object(
            'cause', 'given', 'booking_id', NEW.booking_id, 'screening_id', NEW.screening_id,
            'ticket_id', NEW.ticket_id, 'issue', NEW.issue, 'request_id', present_request_id()
        ))
    );
    -- It changes no seat, so it comes after everything that has happened to the screening.
    INSERT INTO webhook_causes (screening_id, at, kind, ids, seat_ids, payload, request_id, trace)
    SELECT screening_id, NEW.at, 'ticket_transferred', ARRAY[id], ARRAY[seat_id],
           jsonb_build_object('issue', NEW.issue), present_request_id(), present_trace()
    FROM tickets WHERE id = NEW.ticket_id AND EXISTS (SELECT FROM webhooks);
    RETURN NULL;
END
$$;
