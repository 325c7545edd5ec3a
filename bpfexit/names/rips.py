"""Instruction pointers of guests."""

OTHER = 0xFFFFFFFFFFFFFFFF
"""`OTHER_RIPS` of `bpf_programs/wire.h`: all instructions beyond those that have a row."""


def describe_rip(rip: int) -> str | None:
    """Return the name of what stands for the rest; other instructions have none here."""
    return "all others" if rip == OTHER else None
