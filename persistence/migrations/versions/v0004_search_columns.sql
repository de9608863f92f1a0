-- Searches of one or two characters compare every row, so what they compare is stored.
ALTER TABLE cinemas ADD COLUMN searched text NOT NULL
    GENERATED ALWAYS AS (searchable(name || ' ' || city || ' ' || address)) STORED;
ALTER TABLE movies ADD COLUMN searched text NOT NULL
    GENERATED ALWAYS AS (searchable(title || ' ' || director)) STORED;
ALTER TABLE events ADD COLUMN searched text NOT NULL
    GENERATED ALWAYS AS (searchable(title || ' ' || venue)) STORED;

CREATE INDEX events_search_idx ON events
    USING gin (searchable(title || ' ' || venue) gin_trgm_ops) WITH (fastupdate = off);
