"""Tests of `bpfexit.sources`."""
