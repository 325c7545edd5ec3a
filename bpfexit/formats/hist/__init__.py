"""Histograms as text that other tools read."""
