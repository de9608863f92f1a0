"""Mails and webhooks about changed screenings and refunds say which request has caused them."""

from pathlib import Path

from alembic import op

revision = "0037_requests_of_changes"
down_revision = "0036_transfers_announced"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
