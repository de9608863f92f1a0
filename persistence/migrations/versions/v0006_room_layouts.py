"""The surroundings of a room's seats, and seats that have been taken out."""

from pathlib import Path

from alembic import op

revision = "0006_room_layouts"
down_revision = "0005_cheaper_sales"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
