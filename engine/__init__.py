"""The domain: seats, holds and tickets, and the actors that decide about them.

It uses the standard library only and knows neither HTTP nor SQL. Time is an argument; storage and publishing
are ports (`engine.ports`). Other packages use the directory in `engine.directory`, and the plain data of
`engine.commands`, `engine.replies`, `engine.events` and `engine.views`.
"""
