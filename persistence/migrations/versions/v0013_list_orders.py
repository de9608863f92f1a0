"""An index for the order in which movies are listed."""

from pathlib import Path

from alembic import op

revision = "0013_list_orders"
down_revision = "0012_price_of_holds"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
