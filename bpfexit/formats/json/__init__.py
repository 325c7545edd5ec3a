"""JSON lines: a document a line."""
