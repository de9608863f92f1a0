"""The synchronous client, generated from `frontrow_client._async` by `unasync.py`: change that one."""
