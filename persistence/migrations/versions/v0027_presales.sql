ALTER TABLE screenings ADD COLUMN presales jsonb NOT NULL DEFAULT '[]';
ALTER TABLE events ADD COLUMN presales jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN screenings.presales IS
    'Pairs of a channel and the time from which its buyers may buy, in seconds since the epoch.';
COMMENT ON COLUMN events.presales IS 'As for screenings.';
