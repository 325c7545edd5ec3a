"""Tests of `bpfexit.host`."""
