"""Messages of the outbox as operators see them: lists, and retries of dead letters."""

from engine.catalogue_errors import MessageDelivered
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.outbox import DELIVERED

MESSAGES = Table(
    name="outbox",
    kind="message",
    columns={
        "uid": "outbox.uid::text",
        **own_columns(
            "outbox",
            "id",
            "kind",
            "subject",
            "payload",
            "status",
            "attempts",
            "created_at",
            "finished_at",
            "error",
        ),
        "due_at": "CASE WHEN outbox.status = 'waiting' THEN outbox.due_at END",
    },
    filters={"status": "outbox.status = %(status)s", "kind": "outbox.kind = %(kind)s"},
    orders={"": "outbox.id DESC"},
)

RETRY = """
UPDATE outbox SET status = 'waiting', attempts = 0, due_at = now(), finished_at = NULL
WHERE status = 'dead' AND {condition}
RETURNING *
"""

RETRY_ALL = f"""
WITH retried AS ({RETRY.format(condition="(%(kind)s::text IS NULL OR kind = %(kind)s)")})
SELECT count(*) FROM retried
"""  # noqa: S608 - constant


class Messages(Rows):
    """The repository of messages."""

    async def retry(self, message_id: int) -> Record:
        """Deliver a dead letter after all: attempts begin anew. A message that waits is left as it is.

        Raises:
            NotFound: there is no such message.
            MessageDelivered: it has been delivered.
        """
        retried = await self.written(RETRY.format(condition="id = %(id)s"), {"id": message_id})
        record = retried[0] if retried else await self.find(message_id)
        if record["status"] == DELIVERED:
            raise MessageDelivered(message_id)
        return record

    async def retry_all(self, kind: str | None = None) -> int:
        """Deliver all dead letters, or those of a kind. Returns their number."""
        ((number,),) = await self.connector.run(RETRY_ALL, {"kind": kind})
        return int(number)
