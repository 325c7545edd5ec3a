"""Tests of `bpfexit.commands`."""
