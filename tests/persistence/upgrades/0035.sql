-- The log names a block with its seats, and an owner has stored a hash of what it had in memory.
INSERT INTO screening_events (
    screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status, block_id, block_seat_ids
) VALUES (1, 3, 12, now(), 'seats_blocked', 'user:1', '{1,2}', '{held,available}', 'blocked', 40, '{1,2}');
INSERT INTO state_hashes (screening_id, epoch, seq, at, seats, hash) VALUES (1, 3, 12, now(), 8, -1234567890123456789);
