"""How good a system is, how sure that is, and how it is shown: metrics, significance, calibration, figures, reports."""
