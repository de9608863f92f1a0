"""Run by alembic for each command: applies revisions on the connection that `migrate` opened."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo


def note(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Report an applied revision to `migrate`."""
    context.config.attributes["applied"].extend(step.up_revision_ids)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    on_version_apply=note,
)
context.run_migrations()
