-- A room's layout is published as a whole: its seats, and what is drawn around them.

ALTER TABLE rooms ADD COLUMN surroundings jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN rooms.surroundings IS
    'The screen, the sections and the aisles, as in the API''s layout. Whoever changes it raises layout_version.';

-- Tickets, holds and the log name seats by id for ever. So a seat that is taken out of a room keeps its row, and
-- is the same seat again if its row and number come back.
ALTER TABLE seats ADD COLUMN removed_at timestamptz;
COMMENT ON COLUMN seats.removed_at IS 'When the seat was taken out of the room; NULL for a seat of the layout.';
