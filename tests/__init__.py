"""The tests of bpfexit."""
