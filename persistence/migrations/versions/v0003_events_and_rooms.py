"""Events with ticket types, rooms that anybody may open, and what their holds and tickets carry."""

from pathlib import Path

from alembic import op

revision = "0003_events_and_rooms"
down_revision = "0002_catalogue"


def upgrade() -> None:
    """Apply the SQL file beside this one, as it stands (a percent sign is a percent sign)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
