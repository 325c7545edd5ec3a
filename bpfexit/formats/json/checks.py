"""`bpfexit.check/2`: one check of `bpfexit doctor`, a line of JSON."""

from dataclasses import asdict

from bpfexit.formats.json.text import line_of
from bpfexit.host.check import Check

SCHEMA = "bpfexit.check/2"


def encode(check: Check) -> str:
    """Return the line, without its newline."""
    return line_of({"schema": SCHEMA, **asdict(check)})
