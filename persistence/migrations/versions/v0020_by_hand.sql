-- What administrators do by hand: who has sold a ticket, why it was given away, and whose seats they were.

ALTER TABLE tickets
    ADD COLUMN held_at timestamptz,
    ADD COLUMN sold_by text,
    ADD COLUMN free_because text;
COMMENT ON COLUMN tickets.held_at IS 'When its seat was held before it was booked; NULL if it was free.';
COMMENT ON COLUMN tickets.sold_by IS 'Who has sold it or confirmed its payment, if that was not its holder.';
COMMENT ON COLUMN tickets.free_because IS 'Why it was given away; NULL if it was not.';

ALTER TABLE screening_events ADD COLUMN holder text;
COMMENT ON COLUMN screening_events.holder IS
    'Whose seats they are, if somebody else has changed them; NULL if it was the holder, or nobody in particular.';

-- An administrator has seen the money that is paid at the counter.
ALTER TABLE payments
    DROP CONSTRAINT payments_vouched_by_check,
    ADD CONSTRAINT payments_vouched_by_check CHECK (vouched_by IN ('stripe', 'service', 'counter'));

-- A customer at the counter may give a name alone.
ALTER TABLE guests ALTER COLUMN email DROP NOT NULL;
CREATE OR REPLACE FUNCTION has_mail_address(holder text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM users WHERE id = substring(holder FROM '^user:([0-9]{1,18})$')::bigint)
        OR EXISTS (SELECT FROM guests WHERE guests.holder = has_mail_address.holder AND guests.email IS NOT NULL)
$$;
