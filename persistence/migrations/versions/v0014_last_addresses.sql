-- The e-mail address of a deleted account, for news about its last tickets; see persistence/catalogue/logins.py.
ALTER TABLE users ADD COLUMN last_email text CHECK (last_email IS NULL OR deleted_at IS NOT NULL);
CREATE INDEX users_last_email_idx ON users (id) WHERE last_email IS NOT NULL;
COMMENT ON COLUMN users.last_email IS
    'The address of a deleted account, until its last ticket is used and nothing is owed to it.';
