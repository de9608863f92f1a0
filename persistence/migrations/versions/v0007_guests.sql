-- Guests who buy: the name and the e-mail address they have given.

CREATE TABLE guests (
    id         bigint PRIMARY KEY CHECK (id >= 4611686018427387904),
    holder     text NOT NULL UNIQUE GENERATED ALWAYS AS ('user:' || id::text) STORED,
    email      text NOT NULL,
    full_name  text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX guests_email_idx ON guests (lower(email));
COMMENT ON COLUMN guests.id IS 'The user id in the guest''s tokens, drawn at random from 2^62 to 2^63-1.';
