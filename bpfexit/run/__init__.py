"""One loop for all commands and the screen: pace, limits, signals, keys, child processes."""
