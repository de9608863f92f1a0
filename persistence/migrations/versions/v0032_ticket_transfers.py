"""Tickets can be given to other people, and are admitted by codes that cannot be guessed."""

from pathlib import Path

from alembic import op

revision = "0032_ticket_transfers"
down_revision = "0031_request_ids"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
