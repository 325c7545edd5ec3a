"""Metrics for Prometheus: snapshots added up, series by guest, an HTTP server and a text file."""
