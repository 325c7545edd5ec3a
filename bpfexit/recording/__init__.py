"""Recordings: written, read, added up."""
