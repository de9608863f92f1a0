"""The log says which seats a block has, and owners store hashes of what they have in memory."""

from pathlib import Path

from alembic import op

revision = "0035_state_hashes"
down_revision = "0032_ticket_transfers"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
