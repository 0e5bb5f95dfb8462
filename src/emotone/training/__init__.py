"""Focal loss, the waveform store, batches, the loop, checkpoints, export."""
