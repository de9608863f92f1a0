-- What sells (persistence/funnels.py).

CREATE TABLE looks (
    screening_id bigint NOT NULL,
    slot         timestamptz NOT NULL,
    door         text NOT NULL,
    looks        bigint NOT NULL,
    PRIMARY KEY (screening_id, slot, door)
);
CREATE INDEX looks_slot_idx ON looks USING brin (slot);
COMMENT ON TABLE looks IS 'How often somebody has looked at a screening or event, per quarter of an hour.';
COMMENT ON COLUMN looks.door IS 'Through which kind of endpoint: rest, socket, rooms or public.';

-- Finds the holds of a time range. It is written once for every 128 pages of holds.
CREATE INDEX holds_reserved_idx ON holds USING brin (reserved_at) WITH (autosummarize = on);
