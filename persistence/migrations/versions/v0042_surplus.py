"""The surplus of a payment over the price of its tickets is owed from their own transaction on."""

from pathlib import Path

from alembic import op

revision = "0042_surplus"
down_revision = "0041_moves_of_partly_cancelled"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
