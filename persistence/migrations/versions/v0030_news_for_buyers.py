"""Mails to buyers about changes and refunds; tickets are counted by the venue's day."""

from pathlib import Path

from alembic import op

revision = "0030_news_for_buyers"
down_revision = "0027_presales"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
