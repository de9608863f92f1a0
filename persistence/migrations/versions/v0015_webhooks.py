"""Webhooks: what is sent to integrators, to whom, and how far each of them has got."""

from pathlib import Path

from alembic import op

revision = "0015_webhooks"
down_revision = "0014_last_addresses"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
