"""The tiny guest for tests: exits of known kinds and numbers."""
