"""The live screen's pure functions, without a terminal."""
