-- Messages to the outside world, written in the transaction of their cause and delivered from here.

CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid         uuid NOT NULL DEFAULT gen_random_uuid(),
    kind        text NOT NULL,
    subject     text NOT NULL DEFAULT '' CHECK (length(subject) <= 200),
    payload     jsonb NOT NULL CHECK (pg_column_size(payload) <= 65536),
    unique_key  text,
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'delivered', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    error       text,
    CHECK ((status = 'waiting') = (finished_at IS NULL))
);
CREATE INDEX outbox_due_idx ON outbox (kind, due_at) WHERE status = 'waiting';
CREATE INDEX outbox_dead_idx ON outbox (id) WHERE status = 'dead';
CREATE UNIQUE INDEX outbox_unique_key ON outbox (unique_key) WHERE unique_key IS NOT NULL;

-- Nearly every row leaves outbox_due_idx soon, and entries that vacuum has not removed slow down the search.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

COMMENT ON COLUMN outbox.uid IS 'Sent with every attempt, so that receivers recognise a repeated delivery.';
COMMENT ON COLUMN outbox.kind IS 'Which handler delivers it: mail, webhook, …';
COMMENT ON COLUMN outbox.subject IS 'What it is about, for operators, e.g. booking 17.';
COMMENT ON COLUMN outbox.payload IS 'The cause and ids. The handler reads everything else when it delivers.';
COMMENT ON COLUMN outbox.unique_key IS 'Prevents a second message of the same cause; rarely needed.';
COMMENT ON COLUMN outbox.due_at IS
    'The next attempt. While a server delivers it: when the others may try, unless the server postpones that.';

-- For triggers and single statements; many rows are cheaper as INSERT INTO outbox … SELECT.
CREATE FUNCTION enqueue(
    kind text, subject text, payload jsonb, unique_key text DEFAULT NULL, due_at timestamptz DEFAULT now()
) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO outbox (kind, subject, payload, unique_key, due_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING id
$$;
COMMENT ON FUNCTION enqueue IS
    'Writes a message in the current transaction. Returns its id, or NULL if the unique key has been used.';
