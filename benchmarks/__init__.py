"""Speed and size, against baselines."""
