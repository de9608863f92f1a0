"""Webhooks of payment providers: one module per provider, and what its notices do."""
