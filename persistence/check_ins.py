"""Admits tickets at the door, and reads who was admitted.

The function `check_in` of the schema decides a scan in one round trip, whichever server the scanner has come
to; docs/tickets.md has its rules. Nothing here is on the path of a sale.
"""

from collections.abc import Sequence
from uuid import UUID

from engine.door import ScannedCode
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.catalogue.tickets import PRINTED, USER_ID, VISITED
from persistence.columns import IDS
from persistence.connector import Connector
from persistence.errors import StatementRefused

_CHANGE = "30 s"
"""Time for which a ticket is kept from the door while its owner cancels or moves it."""

_SHOWN = {
    name: PRINTED[name]
    for name in (
        *(
            "ticket_id",
            "screening_id",
            "event_id",
            "holder",
            "seat_id",
            "row_label",
            "seat_number",
            "type_name",
        ),
        *("place", "code", "issue", "given_to", "paper", "title", "starts_at", "ends_at", "time_zone"),
    )
} | {"account_name": "coalesce(users.full_name, guests.full_name)"}

_WITH_HOLDERS = f"""
    LEFT JOIN users ON users.id = {USER_ID}
    LEFT JOIN guests ON guests.holder = tickets.holder {VISITED}
"""

_KEPT = {
    name: f"(scan.kept).{name}"
    for name in ("admitted_at", "gate", "inside", "entries", "changed_at", "conflicts")
}
_SCAN = {"result": "scan.outcome", **_KEPT, **own_columns("scan", "other_at", "other_gate", "repeated")}

# The joins are in a good order, and to look for a better one takes longer than everything else.
CHECK_IN = f"""
SET LOCAL join_collapse_limit = 1;
SELECT {", ".join(f"{sql} AS {name}" for name, sql in (_SCAN | _SHOWN).items())}
FROM check_in(
    %(ticket_id)s::bigint, %(code)s, %(screening_id)s::bigint, %(direction)s, %(gate)s,
    to_timestamp(%(at)s), %(opens_seconds)s * interval '1 s', %(actor)s, %(scanner_id)s, %(scan_id)s,
    %(issue)s
) AS scan
LEFT JOIN tickets ON tickets.id = scan.found_id {_WITH_HOLDERS}
"""  # noqa: S608 - constants

COUNTS = """
SELECT gate, count(*), count(*) FILTER (WHERE inside), coalesce(sum(conflicts), 0)
FROM check_ins WHERE screening_id = %(screening_id)s GROUP BY gate ORDER BY gate
"""

EXPECTED = """
SELECT count(*) FROM tickets WHERE screening_id = %(screening_id)s AND status = 'confirmed'
"""

EXISTS = """
SELECT EXISTS (SELECT FROM screenings WHERE id = %(screening_id)s)
    OR EXISTS (SELECT FROM events WHERE id = %(screening_id)s)
"""

BEGIN_CHANGE = "SELECT extract(epoch FROM begin_change(%s, %s::uuid, %s::interval))::float8"

END_CHANGE = "DELETE FROM cancellations_begun WHERE ticket_id = %s AND attempt = %s::uuid"

# All but the one that counts, also if others have the same time and gate.
_OTHER_SCANS = """
(
    SELECT coalesce(
        jsonb_agg(jsonb_build_object('at', scanned_at, 'gate', scans.gate) ORDER BY scanned_at)
        FILTER (WHERE number > 1), '[]'
    )
    FROM (
        SELECT scanned_at, scans.gate, row_number() OVER (
            ORDER BY (scanned_at, scans.gate) <> (check_ins.admitted_at, check_ins.gate), scans.id
        ) AS number
        FROM check_in_scans AS scans
        WHERE scans.ticket_id = check_ins.ticket_id AND check_ins.conflicts > 0
          AND direction = 'in' AND result IN ('admitted', 'conflict')
          AND scans.id > coalesce((
              SELECT max(undone.id) FROM check_in_scans AS undone
              WHERE undone.ticket_id = check_ins.ticket_id AND undone.direction = 'undo'
          ), 0)
    ) AS scans
)
"""

ADMITTED = Table(
    name="tickets",
    kind="ticket",
    columns={
        **own_columns("check_ins", "admitted_at", "gate", "inside", "entries", "changed_at", "conflicts"),
        "other_scans": _OTHER_SCANS,
        "status": "tickets.status",
        **_SHOWN,
    },
    joins=f"JOIN check_ins ON check_ins.ticket_id = tickets.id {_WITH_HOLDERS}",
    filters={
        "screening_id": "check_ins.screening_id = %(screening_id)s",
        "gate": "check_ins.gate = %(gate)s",
        "inside": "check_ins.inside = %(inside)s",
        "conflicts": "(check_ins.conflicts > 0) = %(conflicts)s",
    },
    orders={"": "check_ins.admitted_at, tickets.id"},
)

# The data for a scanner that will be offline: no names, and codes only as digests.
DOOR_LIST = Table(
    name="tickets",
    kind="ticket",
    columns={
        "ticket_id": "tickets.id",
        "place": PRINTED["place"],
        "code": "tickets.code",
        "issue": "tickets.issue",
        "admitted_at": "check_ins.admitted_at",
        "gate": "check_ins.gate",
    },
    joins=f"LEFT JOIN check_ins ON check_ins.ticket_id = tickets.id {VISITED}",
    filters={"screening_id": "tickets.screening_id = %(screening_id)s AND tickets.status = 'confirmed'"},
)


class CheckIns:
    """The repository of admissions.

    Args:
        connector: the database.
        opens_seconds: how long before the start tickets are admitted.
    """

    def __init__(self, connector: Connector, opens_seconds: float = 7200.0) -> None:
        self._connector = connector
        self._opens_seconds = opens_seconds
        self.admitted = Rows(connector, ADMITTED)
        self.door_list = Rows(connector, DOOR_LIST)

    async def scan(
        self,
        code: ScannedCode,
        screening_id: int | None,
        direction: str,
        gate: str,
        at: float,
        actor: str,
        offline: tuple[str, str] | None = None,
    ) -> Record:
        """Decide a scan, in one statement.

        Args:
            code: what was scanned or typed.
            screening_id: the screening or event that the gate admits to; None for any.
            direction: "in", "out" or "undo".
            gate: where.
            at: when, in seconds since the epoch.
            actor: the holder name of who scans.
            offline: ids of the scanner and of the scan, if it was made offline.

        Returns:
            `result`: `admitted`, `left`, `undone`, `conflict`, or the code of a refusal; the state of the
            admission, and what is printed on the ticket.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        scanner_id, scan_id = offline or (None, None)
        asked = {
            "ticket_id": code.ticket_id if code.ticket_id is not None and code.ticket_id in IDS else None,
            "code": code.printed,
            "issue": code.issue,
            "screening_id": screening_id,
            "direction": direction,
            "gate": gate,
            "at": at,
            "opens_seconds": self._opens_seconds,
            "actor": actor,
            "scanner_id": scanner_id,
            "scan_id": scan_id,
        }
        try:
            ((*values,),) = await self._connector.run(CHECK_IN, asked)
        except StatementRefused as refusal:
            if refusal.constraint != "check_in_scans_scan_key":
                raise
            # At the same moment the same id has come for another ticket.
            return dict.fromkeys(_SCAN | _SHOWN) | {"result": "scan_id_reused", "repeated": True}
        return dict(zip(_SCAN | _SHOWN, values, strict=True))

    async def counts(self, screening_id: int) -> tuple[int, Sequence[tuple[str, int, int, int]]]:
        """Count the confirmed tickets of a screening or an event, and those admitted.

        Returns:
            The number of tickets, and for each gate its name, how many it has admitted, how many of them are
            inside, and the number of conflicts.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {"screening_id": screening_id}
        async with self._connector.connection() as connection:
            ((expected,),) = await connection.run(EXPECTED, wanted)
            gates = await connection.run(COUNTS, wanted)
        return expected, [
            (gate, admitted, inside, int(conflicts)) for gate, admitted, inside, conflicts in gates
        ]

    async def exists(self, screening_id: int) -> bool:
        """Return whether there is a screening or an event with this id."""
        ((found,),) = await self._connector.run(EXISTS, {"screening_id": screening_id})
        return bool(found)

    async def begin_change(self, ticket_id: int, attempt: UUID) -> float | None:
        """Keep a ticket from the door while its owner changes it; see `engine.ports.Ledger`."""
        ((admitted_at,),) = await self._connector.run(BEGIN_CHANGE, (ticket_id, str(attempt), _CHANGE))
        return None if admitted_at is None else float(admitted_at)

    async def end_change(self, ticket_id: int, attempt: UUID) -> None:
        """Let it be admitted again; see `engine.ports.Ledger`."""
        await self._connector.run(END_CHANGE, (ticket_id, str(attempt)))
