"""Who is calling: accounts, passwords, tokens, and what is allowed without one."""
