"""One loop for all commands: pacing, signals, the child of `-- COMMAND`, limits."""
