-- The price of a seat or ticket is agreed when it is held.

ALTER TABLE holds ADD COLUMN price numeric(10, 2);
COMMENT ON COLUMN holds.price IS
    'What it is sold for, also if the price is changed later; null if it was held before this column existed.';
