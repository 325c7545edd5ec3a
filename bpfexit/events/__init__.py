"""Tracepoint views: the events, what they carry, and how that is written."""
