-- Bob has agreed on an earlier price.
UPDATE holds SET price = 8 WHERE id = 1;
