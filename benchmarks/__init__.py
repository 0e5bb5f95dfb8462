"""Speed and size, against peers."""
