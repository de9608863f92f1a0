-- The id of a request is found again in the log of its screening, in its mails and in its webhooks. None of these
-- columns has an index: bookings and holds would pay for it, and operators who search for an id can wait.

ALTER TABLE screening_events ADD COLUMN request_id text;
COMMENT ON COLUMN screening_events.request_id IS
    'The request that caused it. NULL: a deadline did, or a hold whose client had not named its request.';

ALTER TABLE tickets ADD COLUMN request_id text;
COMMENT ON COLUMN tickets.request_id IS 'The request that has given the ticket its present status.';

ALTER TABLE ticket_moves ADD COLUMN request_id text;

ALTER TABLE webhook_causes ADD COLUMN request_id text, ADD COLUMN trace text;
COMMENT ON COLUMN webhook_causes.trace IS 'W3C traceparent of the request, if it is traced.';

ALTER TABLE webhook_events ADD COLUMN trace text;

-- The request becomes a part of the payload, which has no such key if no request caused the message.
CREATE OR REPLACE FUNCTION enqueue_confirmations_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id,
           jsonb_strip_nulls(jsonb_build_object(
               'cause', 'booked', 'booking_id', booking_id, 'request_id', request_id
           ))
    FROM (
        SELECT booking_id, holder, bool_or(paper IS NOT NULL) AS has_paper, min(request_id) AS request_id
        FROM tickets_after WHERE status = 'confirmed'
        GROUP BY booking_id, holder
    ) AS booked
    WHERE has_paper OR has_mail_address(holder);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_confirmations_of_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id,
           jsonb_strip_nulls(jsonb_build_object(
               'cause', 'booked', 'booking_id', booking_id, 'request_id', request_id
           ))
    FROM (
        SELECT after.booking_id, after.holder, min(after.request_id) AS request_id
        FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
        WHERE before.status = 'pending' AND after.status = 'confirmed'
        GROUP BY after.booking_id, after.holder
    ) AS booked
    WHERE has_mail_address(holder);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_cancellations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'cancelled tickets of screening ' || after.screening_id,
           jsonb_strip_nulls(jsonb_build_object(
               'cause', 'cancelled', 'screening_id', after.screening_id, 'at', after.cancelled_at,
               'request_id', min(after.request_id)
           ))
    FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
    WHERE before.status IN ('pending', 'confirmed') AND after.status = 'cancelled'
    GROUP BY after.screening_id, after.cancelled_at;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_confirmations_of_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id,
           jsonb_strip_nulls(jsonb_build_object(
               'cause', 'booked', 'booking_id', booking_id, 'screening_id', screening_id, 'request_id', request_id
           ))
    FROM (
        SELECT tickets.booking_id, tickets.screening_id, holder, bool_or(tickets.paper IS NOT NULL) AS has_paper,
               (SELECT min(moves.request_id) FROM moves WHERE moves.booking_id = tickets.booking_id) AS request_id
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
