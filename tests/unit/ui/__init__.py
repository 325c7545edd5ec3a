"""Tests of `bpfexit.ui`."""
