"""A ticket moves to the seat of a cancelled one of the same order."""

from pathlib import Path

from alembic import op

revision = "0041_moves_of_partly_cancelled"
down_revision = "0038_admitted_or_moved"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
