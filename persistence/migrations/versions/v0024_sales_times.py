"""The times at which sales open and close, so that servers can load screenings shortly before."""

from pathlib import Path

from alembic import op

revision = "0024_sales_times"
down_revision = "0023_funnel"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
