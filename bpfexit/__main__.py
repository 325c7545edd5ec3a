"""`python -m bpfexit` is the command `bpfexit`."""

from bpfexit.cli import main

main()
