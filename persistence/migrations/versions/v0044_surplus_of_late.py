"""A surplus is owed from the transaction of the last ticket on, also if late tickets are booked singly."""

from pathlib import Path

from alembic import op

revision = "0044_surplus_of_late"
down_revision = "0043_given_back"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
