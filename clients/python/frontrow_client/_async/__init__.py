"""The asynchronous client. `frontrow_client._sync` is generated from this package by `unasync.py`."""
