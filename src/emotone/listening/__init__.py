"""The half that listens: a model file and a recording in, emotions out. Never torch."""
