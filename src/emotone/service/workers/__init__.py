"""Processes that recognise recordings. One that runs too long, or that its client no longer waits for, is killed."""
