"""The cinema around the seats: what may be searched, favoured, reviewed, and who may log in."""

from pathlib import Path

from alembic import op

revision = "0002_catalogue"
down_revision = "0001_seat_sales"


def upgrade() -> None:
    """Apply the SQL file beside this one, as it stands (a percent sign is a percent sign)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
