"""Columns that hold what is searched of cinemas, movies and events."""

from pathlib import Path

from alembic import op

revision = "0004_search_columns"
down_revision = "0003_events_and_rooms"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
