-- When a screening or event began before it was moved, for those who have tickets by then.
CREATE TABLE screening_times (
    screening_id  bigint NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    starts_before timestamptz NOT NULL,
    PRIMARY KEY (screening_id, changed_at)
);
COMMENT ON TABLE screening_times IS 'The earlier times of screenings and events with tickets.';

CREATE FUNCTION keep_earlier_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO screening_times (screening_id, starts_before)
    SELECT OLD.id, OLD.starts_at WHERE EXISTS (SELECT FROM tickets WHERE screening_id = OLD.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER screenings_earlier_time AFTER UPDATE ON screenings FOR EACH ROW
    WHEN (OLD.starts_at <> NEW.starts_at) EXECUTE FUNCTION keep_earlier_time();
CREATE TRIGGER events_earlier_time AFTER UPDATE ON events FOR EACH ROW
    WHEN (OLD.starts_at <> NEW.starts_at) EXECUTE FUNCTION keep_earlier_time();

ALTER TABLE refunds
    ADD COLUMN seat_ids bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN currency text;
COMMENT ON COLUMN refunds.seat_ids IS 'The seats or places that a payment was meant for, if it has issued no tickets.';
COMMENT ON COLUMN refunds.currency IS 'Of the amount; NULL for the currency of all prices.';
COMMENT ON COLUMN refunds.reason IS
    'ticket_cancelled, ticket_moved (to a cheaper seat), surplus (more was paid than the tickets cost), or the code of '
    'the error that refused the payment.';

-- Tickets are counted by the day of their venue. A venue that gets another time zone is counted anew.
CREATE FUNCTION venue_zone(any_screening_id bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT time_zone FROM screenings JOIN rooms ON rooms.id = room_id JOIN cinemas ON cinemas.id = cinema_id
         WHERE screenings.id = any_screening_id),
        (SELECT time_zone FROM events WHERE events.id = any_screening_id),
        'UTC'
    )
$$;

CREATE OR REPLACE FUNCTION count_tickets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign CONSTANT integer := TG_ARGV[0];
BEGIN
    INSERT INTO ticket_counts AS counted (screening_id, day, status, tickets, revenue)
    SELECT screening_id, (coalesce(confirmed_at, booked_at) AT TIME ZONE zone)::date AS day, status,
           sign * count(*), sign * sum(price)
    FROM changed_tickets
    JOIN (
        SELECT screening_id, venue_zone(screening_id) AS zone
        FROM (SELECT DISTINCT screening_id FROM changed_tickets) AS changed
    ) AS venues USING (screening_id)
    GROUP BY screening_id, day, status
    ORDER BY screening_id, day, status
    ON CONFLICT (screening_id, day, status) DO UPDATE SET
        tickets = counted.tickets + excluded.tickets, revenue = counted.revenue + excluded.revenue;

    INSERT INTO sales AS counted (slot, tickets, revenue)
    SELECT date_bin('15 minutes', confirmed_at, 'epoch') AS slot, sign * count(*), sign * sum(price)
    FROM changed_tickets
    WHERE status = 'confirmed'
    GROUP BY slot
    ORDER BY slot
    ON CONFLICT (slot, part) DO UPDATE SET
        tickets = counted.tickets + excluded.tickets, revenue = counted.revenue + excluded.revenue;
    RETURN NULL;
END
$$;

-- Whoever writes tickets holds the epoch of their screening, so nothing is counted meanwhile.
CREATE FUNCTION count_anew(screening_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM screening_epochs WHERE screening_id = ANY (screening_ids) ORDER BY screening_id FOR UPDATE;
    DELETE FROM ticket_counts WHERE screening_id = ANY (screening_ids);
    INSERT INTO ticket_counts (screening_id, day, status, tickets, revenue)
    SELECT screening_id, (coalesce(confirmed_at, booked_at) AT TIME ZONE zone)::date, status, count(*), sum(price)
    FROM tickets
    JOIN (SELECT id, venue_zone(id) AS zone FROM unnest(screening_ids) AS counted (id)) AS venues
      ON venues.id = tickets.screening_id
    GROUP BY 1, 2, 3;
END
$$;

CREATE FUNCTION count_cinema_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_anew(ARRAY(
        SELECT screenings.id FROM screenings JOIN rooms ON rooms.id = room_id WHERE cinema_id = NEW.id
    ));
    RETURN NULL;
END
$$;
CREATE TRIGGER cinemas_count_anew AFTER UPDATE ON cinemas FOR EACH ROW
    WHEN (OLD.time_zone <> NEW.time_zone) EXECUTE FUNCTION count_cinema_anew();

-- A screening moves to another room only while nobody has tickets, but there may be cancelled ones.
CREATE FUNCTION count_one_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_anew(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER events_count_anew AFTER UPDATE ON events FOR EACH ROW
    WHEN (OLD.time_zone <> NEW.time_zone) EXECUTE FUNCTION count_one_anew();
CREATE TRIGGER screenings_count_anew AFTER UPDATE ON screenings FOR EACH ROW
    WHEN (OLD.room_id <> NEW.room_id) EXECUTE FUNCTION count_one_anew();

COMMENT ON COLUMN ticket_counts.day IS
    'Day of their confirmation, or of their booking if never confirmed, in the time zone of the venue.';
SELECT count_anew(ARRAY(SELECT DISTINCT screening_id FROM tickets WHERE venue_zone(screening_id) <> 'UTC'));
