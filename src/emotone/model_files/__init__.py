"""Model files: reading, writing, checking, storing in fewer bits, downloading. Without torch."""
