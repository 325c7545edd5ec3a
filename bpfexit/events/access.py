"""Which way an access goes."""

from enum import IntEnum


class Access(IntEnum):
    """The direction of an access; the number stands in ACCESS of `row.packed_key`."""

    NONE = 0
    READ = 1
    WRITE = 2
