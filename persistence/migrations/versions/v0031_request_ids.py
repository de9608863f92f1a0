"""The ids of the requests that cause events, tickets, mails and events of webhooks."""

from pathlib import Path

from alembic import op

revision = "0031_request_ids"
down_revision = "0030_news_for_buyers"


def upgrade() -> None:
    """Run the SQL file next to this one verbatim (percent signs need no escaping)."""
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
