-- Seats and places that an organiser keeps back. The journal writes them, as it writes holds.

CREATE TABLE blocks (
    id           bigint PRIMARY KEY,
    screening_id bigint NOT NULL,
    label        text NOT NULL,
    kind         text NOT NULL,
    channel      text,
    seat_ids     bigint[] NOT NULL,
    release_at   timestamptz,
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL,
    released_at  timestamptz,
    released_by  text
);
CREATE INDEX blocks_present_idx ON blocks (screening_id) WHERE released_at IS NULL;
CREATE INDEX blocks_release_idx ON blocks (release_at) WHERE released_at IS NULL AND release_at IS NOT NULL;
COMMENT ON TABLE blocks IS 'Seats and places of a screening or an event that are kept back.';
COMMENT ON COLUMN blocks.seat_ids IS
    'Also those that somebody holds or has bought. A released block keeps the seats that it had last.';
COMMENT ON COLUMN blocks.release_at IS 'When it is released by itself.';

CREATE TABLE channels (
    name       text PRIMARY KEY,
    code_hash  bytea UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE channels IS 'Groups of buyers for whom seats can be kept back.';
COMMENT ON COLUMN channels.code_hash IS
    'Keyed hash of the access code; NULL if only tokens give access.';
