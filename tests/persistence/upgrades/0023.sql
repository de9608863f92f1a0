INSERT INTO looks (screening_id, slot, door, looks) VALUES (1, date_bin('15 minutes', now(), 'epoch'), 'rest', 17);
