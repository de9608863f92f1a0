"""Counts what a server writes for a screening after another one has taken it, which must be nothing."""

from tests.database import execute

_WATCH_THE_ORDER = """
CREATE TABLE written_after_takeover (screening_id bigint, epoch bigint, seq bigint, owned_epoch bigint);
CREATE FUNCTION note_late_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO written_after_takeover
    SELECT NEW.screening_id, NEW.epoch, NEW.seq, epoch FROM screening_epochs
    WHERE screening_id = NEW.screening_id AND epoch <> NEW.epoch;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER late_writes AFTER INSERT ON screening_events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_late_write();
"""
"""Checks the owner when a transaction commits, so that a check which only held earlier does not pass."""


def watch_the_order(database_url: str) -> None:
    """Begin to count."""
    execute(database_url, _WATCH_THE_ORDER)


def late_writes_in(database_url: str) -> int:
    """Return the number of rows."""
    ((number,),) = execute(database_url, "SELECT count(*) FROM written_after_takeover")
    return int(number)
