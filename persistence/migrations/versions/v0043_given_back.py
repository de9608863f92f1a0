"""A ticket is either admitted or given back by its owner, however long that takes to write."""

from pathlib import Path

from alembic import op

revision = "0043_given_back"
down_revision = "0042_surplus"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
