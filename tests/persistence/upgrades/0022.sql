-- Last week's visitor was admitted.
INSERT INTO check_ins (ticket_id, screening_id, admitted_at, gate, changed_at) VALUES
    (5, 2, now() - interval '7 days', 'north', now() - interval '7 days');
INSERT INTO check_in_scans (ticket_id, screening_id, direction, gate, scanned_at, result, actor) VALUES
    (5, 2, 'in', 'north', now() - interval '7 days', 'admitted', 'service:check-in');
