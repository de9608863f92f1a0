"""A ticket is either admitted or moved by its owner, whatever is sent at the same time."""

from pathlib import Path

from alembic import op

revision = "0038_admitted_or_moved"
down_revision = "0037_requests_of_changes"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
