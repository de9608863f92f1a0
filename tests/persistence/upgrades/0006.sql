-- Row C was taken out of the hall.
INSERT INTO seats (id, room_id, row_label, seat_number, removed_at) VALUES (13, 1, 'C', 1, now());
UPDATE rooms SET surroundings = '{"screen": {"x": 0, "y": -2, "width": 6}}', layout_version = layout_version + 1;
