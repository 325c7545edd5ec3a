"""Errors that users read as one sentence; each has its exit code.

They are raised where the cause is known and caught once, in `bpfexit.cli`.
"""


class BpfexitError(Exception):
    """Something failed: the message says what is wrong and what to do."""

    exit_code = 1


class UsageError(BpfexitError):
    """The command line does not make sense."""

    exit_code = 2
