"""The sockets on which users follow how many tickets of an event are left."""
