"""Advice: evidence of one guest in, findings out. Pure; it knows only the model."""
