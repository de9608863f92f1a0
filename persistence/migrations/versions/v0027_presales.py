"""Presales: sales that open earlier for the buyers of a channel."""

from pathlib import Path

from alembic import op

revision = "0027_presales"
down_revision = "0026_mails_about_moves"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
