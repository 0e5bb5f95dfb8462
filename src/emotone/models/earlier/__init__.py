"""Systems of earlier papers, and the parts that only they have."""
