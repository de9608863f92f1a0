"""The PostgreSQL version, extensions and privileges that a migration needs.

`frontrow check` reports what is missing and `migrate` refuses to start, both with the same sentences. Each
says what an administrator has to do, as SQL if possible.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

OLDEST_TESTED = 15
"""The oldest major version of PostgreSQL that CI runs `tests/persistence` with (docs/database.md)."""

ABILITIES = """
SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_version'),
       quote_ident(current_user), quote_ident(current_database()), coalesce(current_schema(), ''),
       (SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')
        FROM pg_namespace WHERE nspname = 'public'),
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       has_database_privilege(current_database(), 'CREATE'),
       (SELECT quote_ident(tableowner) FROM pg_tables
        WHERE schemaname = 'public' AND tablename = 'alembic_version'
          AND NOT pg_has_role(tableowner, 'USAGE'))
"""

# The extensions that the migrations create; all are part of PostgreSQL's contrib package.
FOUND_EXTENSIONS = """
SELECT wanted.name, nspname, available.name IS NOT NULL, coalesce(trusted, false)
FROM unnest(ARRAY['btree_gist', 'pg_trgm', 'unaccent']) AS wanted (name)
LEFT JOIN pg_available_extensions AS available ON available.name = wanted.name
LEFT JOIN pg_available_extension_versions AS offered
    ON offered.name = wanted.name AND offered.version = available.default_version
LEFT JOIN pg_extension ON extname = wanted.name
LEFT JOIN pg_namespace ON pg_namespace.oid = extnamespace
ORDER BY wanted.name
"""


class UnmetRequirement(NamedTuple):
    """A missing prerequisite of a migration.

    Attributes:
        text: the problem, a clause without a full stop.
        remedy: SQL for an administrator to run in the database; empty if SQL does not help.
    """

    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text}; an administrator has to run: {self.remedy}" if self.remedy else self.text


def joined(missing: Sequence[UnmetRequirement]) -> str:
    """Join them into one sentence without a full stop, followed by the SQL for all."""
    texts = "; ".join(shortcoming.text for shortcoming in missing)
    remedies = " ".join(shortcoming.remedy for shortcoming in missing if shortcoming.remedy)
    return f"{texts}; an administrator has to run: {remedies}" if remedies else texts


def outdated(major_version: int, shown: str) -> str | None:
    """Return why a version of PostgreSQL is too old, or None.

    Args:
        major_version: such as 15.
        shown: the full version as PostgreSQL reports it.
    """
    if major_version >= OLDEST_TESTED:
        return None
    return (
        f"PostgreSQL {shown} is older than {OLDEST_TESTED}, the oldest version that Frontrow is tested with: "
        "upgrade it"
    )


def unmet_requirements(
    abilities: Sequence[Any], extensions: Sequence[Sequence[Any]]
) -> Iterator[UnmetRequirement]:
    """Yield the missing prerequisites of a migration.

    Args:
        abilities: the row of `ABILITIES`.
        extensions: the rows of `FOUND_EXTENSIONS`.
    """
    version, shown, role, database, schema, may_use_public, is_superuser, may_create, owner = abilities
    if (reason := outdated(version, shown)) is not None:
        yield UnmetRequirement(reason)
    if may_use_public is None:
        yield UnmetRequirement(
            "the schema public does not exist",
            f"CREATE SCHEMA public; GRANT USAGE, CREATE ON SCHEMA public TO {role};",
        )
    elif not may_use_public:
        yield UnmetRequirement(
            f"the role {role} may not create tables in the schema public",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {role};",
        )
    elif schema != "public":
        yield UnmetRequirement(
            f"the role {role} creates tables in the schema {schema or '(none)'} rather than in public",
            f"ALTER ROLE {role} IN DATABASE {database} SET search_path = public;",
        )
    if owner is not None:
        yield UnmetRequirement(
            f"the tables belong to the role {owner}, and only their owner can change them: migrate as {owner}"
        )
    for name, found_in, is_available, is_trusted in extensions:
        if found_in == "public":
            continue
        if found_in is not None:
            yield UnmetRequirement(
                f"the extension {name} is in the schema {found_in} rather than in public",
                f"ALTER EXTENSION {name} SET SCHEMA public;",
            )
        elif not is_available:
            yield UnmetRequirement(
                f"PostgreSQL does not have the extension {name}: install its contrib package "
                "(postgresql-contrib) on the database server"
            )
        elif not (is_superuser or (may_create and is_trusted)):
            yield UnmetRequirement(
                f"the extension {name} is missing, and the role {role} may not create it",
                f"CREATE EXTENSION {name} SCHEMA public;",
            )
