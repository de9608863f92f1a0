"""The core of the catalogue, and everything that selling a seat writes."""

from pathlib import Path

from alembic import op

revision = "0001_seat_sales"
down_revision = None


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
