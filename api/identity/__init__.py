"""Authentication and access: accounts, passwords, tokens, allowed origins and host names."""
