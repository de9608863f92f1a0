-- A seat for the house.
INSERT INTO blocks (id, screening_id, label, kind, seat_ids, created_at, created_by) VALUES
    (20, 1, 'Doctor', 'house', '{9}', now(), 'user:1');
