-- Bob waits until his seat for the event is free.
INSERT INTO waitlist (
    id, screening_id, holder, quantity, joined_at, joined_epoch, joined_seq, ticket_type_id, together, mail, status,
    seat_ids, epoch, seq, changed_at
) VALUES (30, 4, 'user:2', 6, now(), 1, 1, 1, false, true, 'left', '{}', 1, 2, now());
