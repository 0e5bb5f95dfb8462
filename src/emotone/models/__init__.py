"""The networks: one file a system."""
