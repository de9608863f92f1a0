INSERT INTO ticket_transfers (ticket_id, issue, booking_id, screening_id, actor, given_to)
SELECT id, 1, booking_id, screening_id, holder, '\x01' FROM tickets WHERE id = 5;
UPDATE events SET transfers_allowed = false, moves_allowed = false, moves_until = now();
