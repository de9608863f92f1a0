-- Waiting lists (engine/offering.py). The journal writes them, as it writes holds.

CREATE TABLE waitlist (
    id             bigint PRIMARY KEY,
    screening_id   bigint NOT NULL,
    holder         text NOT NULL,
    quantity       integer NOT NULL CHECK (quantity > 0),
    joined_at      timestamptz NOT NULL,
    joined_epoch   bigint NOT NULL,
    joined_seq     bigint NOT NULL,
    ticket_type_id bigint,
    seat_id        bigint,
    together       boolean NOT NULL,
    mail           boolean NOT NULL,
    status         text NOT NULL
        CHECK (status IN ('waiting', 'offered', 'taken', 'lapsed', 'declined', 'told', 'left', 'closed')),
    reservation_id bigint,
    seat_ids       bigint[] NOT NULL,
    expires_at     timestamptz,
    epoch          bigint NOT NULL,
    seq            bigint NOT NULL,
    changed_at     timestamptz NOT NULL,
    CHECK (ticket_type_id IS NULL OR seat_id IS NULL)
);
CREATE INDEX waitlist_live_idx ON waitlist (screening_id, joined_epoch, joined_seq)
    WHERE status IN ('waiting', 'offered');
CREATE INDEX waitlist_holder_idx ON waitlist (holder, id) WHERE status IN ('waiting', 'offered');
CREATE INDEX waitlist_screening_idx ON waitlist (screening_id, id);

COMMENT ON TABLE waitlist IS 'Who waits, or has waited, for what others give back.';
COMMENT ON COLUMN waitlist.joined_epoch IS 'With joined_seq, the place in the order: of the event that made the entry.';
COMMENT ON COLUMN waitlist.ticket_type_id IS 'NULL for seats.';
COMMENT ON COLUMN waitlist.seat_id IS 'The seat whose holder wants to be told when it is free; NULL for an entry that is offered seats.';
COMMENT ON COLUMN waitlist.seat_ids IS 'What was offered.';
COMMENT ON COLUMN waitlist.epoch IS 'With seq, the event that has changed the entry last.';
