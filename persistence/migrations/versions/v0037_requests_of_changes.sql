-- What administrators change outside the engine is told with the request, as transfers are (v0036).

CREATE OR REPLACE FUNCTION announce_screening() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present jsonb;
    changed text[];
    cancelled boolean := TG_OP = 'DELETE';
BEGIN
    IF NOT EXISTS (SELECT FROM webhooks) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(old_value.key ORDER BY old_value.key) INTO changed
        FROM jsonb_each(to_jsonb(OLD)) AS old_value
        WHERE old_value.key = ANY (TG_ARGV) AND old_value.value <> to_jsonb(NEW) -> old_value.key;
        cancelled := to_jsonb(OLD) ->> 'cancelled_at' IS NULL AND to_jsonb(NEW) ->> 'cancelled_at' IS NOT NULL;
        IF changed IS NULL AND NOT cancelled THEN
            RETURN NULL;
        END IF;
    END IF;
    SELECT jsonb_object_agg(key, value) INTO present
    FROM jsonb_each(CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END)
    WHERE key = ANY (TG_ARGV);
    INSERT INTO webhook_causes (screening_id, epoch, seq, at, kind, payload, request_id, trace)
    SELECT OLD.id, epoch, CASE WHEN epoch IS NOT NULL THEN 0 END, now(),
           CASE WHEN cancelled THEN 'screening_cancelled' ELSE 'screening_changed' END,
           CASE WHEN cancelled THEN present ELSE present || jsonb_build_object('changed', changed) END,
           present_request_id(), present_trace()
    FROM (SELECT max(epoch) AS epoch FROM screening_epochs WHERE screening_id = OLD.id) AS owned;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION announce_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_causes (screening_id, at, kind, payload, request_id, trace)
    SELECT NEW.screening_id, coalesce(NEW.settled_at, NEW.owed_at), 'refund_' || NEW.status,
           jsonb_build_object(
               'refund_id', NEW.id, 'payment_id', NEW.payment_id, 'amount', NEW.amount, 'reason', NEW.reason,
               'status', NEW.status, 'booking_id', NEW.booking_id, 'ticket_id', NEW.ticket_id,
               'reference', NEW.reference,
               'vouched_by', (SELECT vouched_by FROM payments WHERE payments.payment_id = NEW.payment_id)
           ),
           present_request_id(), present_trace()
    WHERE EXISTS (SELECT FROM webhooks);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION enqueue_move(
    moved_id bigint, revision integer, starts_before timestamptz, starts_after timestamptz,
    title_before text, title_after text, place_before text, place_after text
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'changed screening ' || moved_id, jsonb_strip_nulls(jsonb_build_object(
        'cause', 'moved', 'screening_id', moved_id, 'revision', revision,
        'before', starts_before, 'after', starts_after,
        'title_before', CASE WHEN title_before <> title_after THEN title_before ELSE '' END,
        'place_before', CASE WHEN place_before <> place_after THEN place_before ELSE '' END,
        'request_id', present_request_id()
    ))
    WHERE (starts_before, title_before, place_before) IS DISTINCT FROM (starts_after, title_after, place_after)
      AND greatest(starts_before, starts_after) > now()
      AND EXISTS (SELECT FROM tickets WHERE screening_id = moved_id AND status IN ('pending', 'confirmed'))
$$;

CREATE OR REPLACE FUNCTION enqueue_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    VALUES (
        'mail', 'refund ' || NEW.id,
        jsonb_strip_nulls(jsonb_build_object(
            'cause', 'refund_' || NEW.status, 'refund_id', NEW.id, 'request_id', present_request_id()
        ))
    );
    RETURN NULL;
END
$$;
