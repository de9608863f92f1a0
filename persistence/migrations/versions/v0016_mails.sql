-- More causes of mails. A message names the cause and ids; its delivery reads everything else. What concerns a
-- whole screening is one message, from which the delivery makes those of its bookings.

-- Calendars replace an entry only by one with a greater number.
ALTER TABLE screenings ADD COLUMN revision integer NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN revision integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN screenings.revision IS 'How often its time, room or film has changed.';
COMMENT ON COLUMN events.revision IS 'How often its time, title or venue has changed.';

ALTER TABLE guests ADD COLUMN language text NOT NULL DEFAULT '';
COMMENT ON COLUMN guests.language IS 'Language tag of their browser; empty if mails have no such language.';

-- Buyers and holders of event tickets have given an address with each ticket, encrypted in `paper`.
CREATE OR REPLACE FUNCTION enqueue_confirmations_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id, jsonb_build_object('cause', 'booked', 'booking_id', booking_id)
    FROM (
        SELECT booking_id, holder, bool_or(paper IS NOT NULL) AS has_paper
        FROM tickets_after WHERE status = 'confirmed'
        GROUP BY booking_id, holder
    ) AS booked
    WHERE has_paper OR has_mail_address(holder);
    RETURN NULL;
END
$$;

-- A cancelled screening cancels all its tickets at the same time.
CREATE FUNCTION enqueue_cancellations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT DISTINCT
        'mail', 'cancelled tickets of screening ' || screening_id,
        jsonb_build_object('cause', 'cancelled', 'screening_id', screening_id, 'at', cancelled_at)
    FROM (
        SELECT after.screening_id, after.cancelled_at
        FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
        WHERE before.status IN ('pending', 'confirmed') AND after.status = 'cancelled'
    ) AS cancelled;
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_cancellation AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS tickets_before NEW TABLE AS tickets_after
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_cancellations();

CREATE FUNCTION raise_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER screenings_revision BEFORE UPDATE ON screenings FOR EACH ROW
    WHEN ((OLD.starts_at, OLD.ends_at, OLD.room_id, OLD.movie_id, OLD.title)
          IS DISTINCT FROM (NEW.starts_at, NEW.ends_at, NEW.room_id, NEW.movie_id, NEW.title))
    EXECUTE FUNCTION raise_revision();
CREATE TRIGGER events_revision BEFORE UPDATE ON events FOR EACH ROW
    WHEN ((OLD.starts_at, OLD.ends_at, OLD.title, OLD.venue)
          IS DISTINCT FROM (NEW.starts_at, NEW.ends_at, NEW.title, NEW.venue))
    EXECUTE FUNCTION raise_revision();

-- Arguments: what is shown and where, before and after.
CREATE FUNCTION enqueue_move(
    moved_id bigint, revision integer, starts_before timestamptz, starts_after timestamptz,
    title_before text, title_after text, place_before text, place_after text
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'changed screening ' || moved_id, jsonb_build_object(
        'cause', 'moved', 'screening_id', moved_id, 'revision', revision,
        'before', starts_before, 'after', starts_after,
        'title_before', CASE WHEN title_before <> title_after THEN title_before ELSE '' END,
        'place_before', CASE WHEN place_before <> place_after THEN place_before ELSE '' END
    )
    WHERE (starts_before, title_before, place_before) IS DISTINCT FROM (starts_after, title_after, place_after)
      AND greatest(starts_before, starts_after) > now()
      AND EXISTS (SELECT FROM tickets WHERE screening_id = moved_id AND status IN ('pending', 'confirmed'))
$$;

CREATE FUNCTION enqueue_move_of_screening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Sold seats are of the room, so the place of a screening with tickets stays.
    PERFORM enqueue_move(
        NEW.id, NEW.revision, OLD.starts_at, NEW.starts_at,
        coalesce(nullif(OLD.title, ''), (SELECT title FROM movies WHERE id = OLD.movie_id), ''),
        coalesce(nullif(NEW.title, ''), (SELECT title FROM movies WHERE id = NEW.movie_id), ''),
        '', ''
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER screenings_move AFTER UPDATE ON screenings FOR EACH ROW
    WHEN (NEW.revision > OLD.revision AND NEW.cancelled_at IS NULL)
    EXECUTE FUNCTION enqueue_move_of_screening();

CREATE FUNCTION enqueue_move_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM enqueue_move(
        NEW.id, NEW.revision, OLD.starts_at, NEW.starts_at, OLD.title, NEW.title, OLD.venue, NEW.venue
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER events_move AFTER UPDATE ON events FOR EACH ROW
    WHEN (NEW.revision > OLD.revision)
    EXECUTE FUNCTION enqueue_move_of_event();

-- The mail about cancelled tickets says what is owed for them.
CREATE FUNCTION enqueue_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    VALUES (
        'mail', 'refund ' || NEW.id, jsonb_build_object('cause', 'refund_' || NEW.status, 'refund_id', NEW.id)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER refunds_owed AFTER INSERT ON refunds FOR EACH ROW
    WHEN (NEW.reason <> 'ticket_cancelled')
    EXECUTE FUNCTION enqueue_refund();
CREATE TRIGGER refunds_settled AFTER UPDATE ON refunds FOR EACH ROW
    WHEN (OLD.status = 'owed' AND NEW.status = 'settled')
    EXECUTE FUNCTION enqueue_refund();
