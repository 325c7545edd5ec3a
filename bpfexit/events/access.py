"""What an exit accesses: the kind of target, and the direction."""

from enum import IntEnum


class Kind(IntEnum):
    """What an exit is after."""

    NONE = 0
    PIO = 1
    MMIO = 2
    MSR = 3


class Access(IntEnum):
    """Which way."""

    NONE = 0
    READ = 1
    WRITE = 2
