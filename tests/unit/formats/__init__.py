"""Tests of `bpfexit.formats`."""
