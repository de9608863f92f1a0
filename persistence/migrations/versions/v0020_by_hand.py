"""Actions that administrators take by hand."""

from pathlib import Path

from alembic import op

revision = "0020_by_hand"
down_revision = "0019_blocks"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
