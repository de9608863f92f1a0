r"""Search that forgives accents, case and typing errors (pg_trgm and unaccent), in SQL.

`searchable()` is the function of the schema under which the trigram indexes are made. What is searched
for is bound as `%(q)s`; it is compared as text, so wildcards in it mean nothing. The word similarity
operator `%>` is what the index serves; how alike is alike enough, a connection is told when it is made
(`SESSION_SETUP` in `persistence.connector`).

Similarity is about words between blanks. Many scripts write none, and two characters are a name there, so
a part of the text is a match as well. The index serves that from three characters on; shorter ones are
looked for in every row, and not misspelt.
"""

_PATTERN = (
    "'%%' || replace(replace(replace(nullif(btrim(searchable(%(q)s)), ''), "
    r"'\', '\\'), '%%', '\%%'), '_', '\_') || '%%'"
)


def matching(expression: str) -> str:
    """The condition that an expression has the words of `%(q)s`, perhaps misspelt, or `%(q)s` as a part."""
    return (
        f"(char_length(searchable(%(q)s)) > 2 AND searchable({expression}) %%> searchable(%(q)s)"
        f" OR searchable({expression}) LIKE {_PATTERN})"
    )


def similarity(expression: str) -> str:
    """The order by how well they do, best first; of equals, the one that says least beside them."""
    return (
        f"coalesce(searchable({expression}) LIKE {_PATTERN}, false) DESC, "
        f"word_similarity(searchable(%(q)s), searchable({expression})) DESC, "
        f"similarity(searchable(%(q)s), searchable({expression})) DESC"
    )
