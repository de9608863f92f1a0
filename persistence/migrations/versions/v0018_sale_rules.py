"""Rules by which an organiser sells."""

from pathlib import Path

from alembic import op

revision = "0018_sale_rules"
down_revision = "0017_paid_back"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
