"""Tests of `tests.bench`: what it computes, not what it measures."""
