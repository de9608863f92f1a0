r"""Full-text search that tolerates accents, case and typing errors, with pg_trgm and unaccent.

`searchable()` is a function of the schema that the trigram indexes are built on. The search text is bound as
`%(q)s` and its wildcards are escaped. The index serves the word similarity operator `%>`, whose threshold is
set when a connection is opened (`SESSION_SETUP` in `persistence.connector`).

Word similarity splits at blanks, but many scripts have none, and two characters can be a whole name there. So
substrings match too. The index serves substrings of three or more characters; shorter ones need a sequential
scan and are not matched by similarity.
"""

_PATTERN = (
    "'%%' || replace(replace(replace(nullif(btrim(searchable(%(q)s)), ''), "
    r"'\', '\\'), '%%', '\%%'), '_', '\_') || '%%'"
)


def matching(expression: str) -> str:
    """Return the SQL condition that an expression contains `%(q)s`, or words similar to it."""
    return (
        f"(char_length(searchable(%(q)s)) > 2 AND searchable({expression}) %%> searchable(%(q)s)"
        f" OR searchable({expression}) LIKE {_PATTERN})"
    )


def similarity(expression: str) -> str:
    """Return the SQL order by similarity, best first; among equals, the shortest text first."""
    return (
        f"coalesce(searchable({expression}) LIKE {_PATTERN}, false) DESC, "
        f"word_similarity(searchable(%(q)s), searchable({expression})) DESC, "
        f"similarity(searchable(%(q)s), searchable({expression})) DESC"
    )
