"""Adapting a model file to the user's own recordings, with or without labels. No torch: the ONNX graph is edited."""
