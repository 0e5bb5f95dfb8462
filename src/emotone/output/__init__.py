"""Recognitions written down: one registry of formats; tables, annotation files, pictures. Without torch."""
