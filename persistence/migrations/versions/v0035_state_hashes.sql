-- `frontrow verify` rebuilds screenings from the log. What the log did not say: a seat that somebody has when its block
-- is released leaves the block without a change of its status.

ALTER TABLE screening_events
    ADD COLUMN block_id bigint,
    ADD COLUMN block_seat_ids bigint[];
COMMENT ON COLUMN screening_events.block_id IS
    'The block, for seats_blocked and seats_unblocked; null for events of earlier versions.';
COMMENT ON COLUMN screening_events.block_seat_ids IS 'All seats of the block after the event.';

CREATE TABLE state_hashes (
    screening_id bigint NOT NULL,
    epoch        bigint NOT NULL,
    seq          bigint NOT NULL,
    at           timestamptz NOT NULL,
    seats        integer NOT NULL,
    hash         bigint NOT NULL,
    PRIMARY KEY (screening_id, epoch, seq)
);
COMMENT ON TABLE state_hashes IS
    'What the owner of a screening had in memory after an event: how many seats somebody had, and a hash of who.';
