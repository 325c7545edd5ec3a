"""Benchmarks: tables to read, nothing asserted."""
