"""Who may call, from where, and how often at the same time."""
