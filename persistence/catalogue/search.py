"""Search that forgives accents, case and typing errors (pg_trgm and unaccent), in SQL.

`searchable()` is the function of the schema under which the trigram indexes are made. What is searched
for is bound as `%(q)s`; it is compared as text, so wildcards in it mean nothing. The word similarity
operator `%>` is what the index serves; how alike is alike enough, a connection is told when it is made
(`SESSION_SETUP` in `persistence.connector`).
"""


def matching(expression: str) -> str:
    """The condition that the words of `%(q)s` occur in an expression, perhaps misspelt."""
    return f"searchable({expression}) %%> searchable(%(q)s)"


def similarity(expression: str) -> str:
    """The order by how well they do, best first; of equals, the one that says least beside them."""
    return (
        f"word_similarity(searchable(%(q)s), searchable({expression})) DESC, "
        f"similarity(searchable(%(q)s), searchable({expression})) DESC"
    )
