r"""Full-text search that tolerates accents, case and typing errors, with pg_trgm and unaccent.

`searchable()` is a function of the schema that the trigram indexes are built on. The generated column
`searched` of a table holds its result. The search text is bound as `%(q)s` and its wildcards are escaped. The
index serves the word similarity operator `%>`, whose threshold is set when a connection is opened
(`SESSION_SETUP` in `persistence.connector`).

Word similarity splits at blanks, but many scripts have none, and two characters can be a whole name there. So
substrings match too. The index serves substrings of three or more characters. Shorter ones contain no
trigram: they need a sequential scan and are not matched by similarity. The column makes that scan cheap. The
index stays on the function, because the planner knows that the function is expensive but not that `%>` is,
and would scan the column sequentially for longer words, too.
"""

_WORDS = "btrim(searchable(%(q)s))"

_PATTERN = (
    rf"'%%' || replace(replace(replace(nullif({_WORDS}, ''), '\', '\\'), '%%', '\%%'), '_', '\_') || '%%'"
)

_HAS_TRIGRAM = f"char_length({_WORDS}) > 2"
"""The statement contains the value when it is planned, so the planner drops the other branch."""


def matching(table: str, expression: str) -> str:
    """Return the SQL condition that a row contains `%(q)s`, or words similar to it.

    Args:
        table: a table with a column `searched`.
        expression: the text that the column is generated from, as in the table's index.
    """
    indexed = f"searchable({expression})"
    return (
        f"CASE WHEN {_HAS_TRIGRAM} THEN {indexed} %%> {_WORDS} OR {indexed} LIKE {_PATTERN} "
        f"ELSE {table}.searched LIKE {_PATTERN} END"
    )


def similarity(table: str) -> str:
    """Return the SQL order by similarity, best first; among equals, the shortest text first.

    One or two characters match best as a whole word, and second best at the beginning of a word.
    """
    searched = f"{table}.searched"
    is_word = f"(strpos(' ' || {searched} || ' ', ' ' || {_WORDS} || ' ') > 0)::integer"
    begins_word = f"(strpos(' ' || {searched}, ' ' || {_WORDS}) > 0)::integer"
    return (
        f"coalesce({searched} LIKE {_PATTERN}, false) DESC, "
        f"CASE WHEN {_HAS_TRIGRAM} THEN word_similarity({_WORDS}, {searched}) "
        f"ELSE {is_word} + {begins_word} END DESC, "
        f"CASE WHEN {_HAS_TRIGRAM} THEN similarity({_WORDS}, {searched}) "
        f"ELSE -char_length({searched}) END DESC"
    )
