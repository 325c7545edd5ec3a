"""Tests of `bpfexit.model`."""
