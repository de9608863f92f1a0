-- Rules by which an organiser sells (engine/sale_rules.py). Those of a screening or event without any are the
-- defaults.
ALTER TABLE screenings
    ADD COLUMN orphan_rule text NOT NULL DEFAULT 'off' CHECK (orphan_rule IN ('off', 'warn', 'enforce')),
    ADD COLUMN orphan_share float8 NOT NULL DEFAULT 0 CHECK (orphan_share BETWEEN 0 AND 1),
    ADD COLUMN max_per_user integer CHECK (max_per_user > 0),
    ADD COLUMN sales_start timestamptz,
    ADD COLUMN sales_end timestamptz,
    ADD CONSTRAINT screenings_sales_end_after_start CHECK (sales_end > sales_start);

ALTER TABLE events
    ADD COLUMN max_per_user integer CHECK (max_per_user > 0),
    ADD COLUMN sales_start timestamptz,
    ADD COLUMN sales_end timestamptz,
    ADD CONSTRAINT events_sales_end_after_start CHECK (sales_end > sales_start);

ALTER TABLE ticket_types ADD COLUMN max_per_user integer CHECK (max_per_user > 0);

COMMENT ON COLUMN screenings.orphan_share IS
    'The rule is not enforced while less than this share of the seats is free.';
COMMENT ON COLUMN screenings.max_per_user IS 'Seats that one person may hold and have bought; null for any.';
