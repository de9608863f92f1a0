"""Blocks: seats and places that an organiser keeps back, and the channels that some are for."""

from pathlib import Path

from alembic import op

revision = "0019_blocks"
down_revision = "0018_sale_rules"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
