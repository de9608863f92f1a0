"""PostgreSQL: the connector, the journal writer, recovery, and the repositories that read and write tables.

It implements the ports of `engine.ports`. Two libraries are each imported in one module only: the database
driver in `persistence.connector`, the embedded server in `persistence.embedded`.
"""
