"""Waveform -> spectrogram or MFCC, as torch layers; augmentation."""
