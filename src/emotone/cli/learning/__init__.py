"""Commands about corpora, training, scores and the export of models."""
