"""Everything PostgreSQL: the connector, the journal's writer, recovery, and the readers of what is stored.

It implements the ports of `engine.ports`. Two names of libraries stay inside one module each:
the driver in `persistence.connector`, the embedded server in `persistence.embedded`.
"""
