"""Several processes as one box office: messages between nodes over NATS, membership, ownership of screenings.

PostgreSQL decides which node may write a screening (its epoch); this package only decides which node to ask.
It knows the engine, but not the API or the tables: it reaches those through protocols. The NATS client is
imported in `cluster.connection` only, and a server that serves alone does not load it.
"""
