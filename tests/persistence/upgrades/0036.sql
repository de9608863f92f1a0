-- A transfer is told to webhooks and by mail, with its request.
SELECT set_config('frontrow.request_id', 'request-3', false), set_config('frontrow.trace', '00-1-2-01', false);
INSERT INTO ticket_transfers (ticket_id, issue, booking_id, screening_id, actor, given_to)
SELECT id, 1, booking_id, screening_id, holder, '\x02' FROM tickets WHERE id = 11;
