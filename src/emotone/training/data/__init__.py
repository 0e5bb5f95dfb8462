"""Waveforms, features and frames on disk and in memory, and batches of them."""
