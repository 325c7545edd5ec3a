"""Advice: evidence about a guest in, findings out. Pure; it uses only the model."""
