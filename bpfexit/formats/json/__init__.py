"""JSON lines: one document per line."""
