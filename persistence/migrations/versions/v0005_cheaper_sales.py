"""Fewer index entries per booking and hold, and one check of payments per statement."""

from pathlib import Path

from alembic import op

revision = "0005_cheaper_sales"
down_revision = "0004_search_columns"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
