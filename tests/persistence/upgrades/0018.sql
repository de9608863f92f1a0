UPDATE screenings SET max_per_user = 8, orphan_rule = 'warn' WHERE id = 1;
UPDATE ticket_types SET max_per_user = 4;
