"""Training and scoring of single folds."""
