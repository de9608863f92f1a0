-- Cinemas and events have a time zone. Filters by day use it in AT TIME ZONE, which fails for a name that
-- PostgreSQL does not know; so such a name is refused when it is written.

CREATE FUNCTION is_time_zone(name text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN timezone(name, timestamptz 'epoch') IS NOT NULL;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;

ALTER TABLE cinemas ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC'
    CONSTRAINT cinemas_time_zone_known CHECK (is_time_zone(time_zone));
ALTER TABLE events ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC'
    CONSTRAINT events_time_zone_known CHECK (is_time_zone(time_zone));
COMMENT ON COLUMN cinemas.time_zone IS 'Name in the IANA database.';
COMMENT ON COLUMN events.time_zone IS 'Name in the IANA database.';
