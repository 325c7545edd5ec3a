"""Histograms as text that other tools read; each module defines one `FORMAT`."""
