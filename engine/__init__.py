"""The domain and its actors: what a seat may become, who decides it, and in which order.

Standard library only. Nothing in here knows HTTP, SQL or the wall clock: time is an argument,
storage and publication are ports (`engine.ports`). Other packages come in by one door, the
directory in `engine.directory`, and speak in the plain data of `engine.commands`, `engine.replies`
and `engine.events`.
"""
