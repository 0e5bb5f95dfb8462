"""The model: its session, its predictions, subsets of its classes, and when it is unsure."""
