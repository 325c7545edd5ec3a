"""How halts ended, as `bpf_programs/events/halt.c` numbers it."""

from bpfexit.names.ranges import by_number

AT_ONCE, POLLED, SLEPT, POLLED_IN_VAIN = range(4)

HALTS = by_number(
    {
        AT_ONCE: "woken at once",
        POLLED: "polled, and woken",
        SLEPT: "slept",
        POLLED_IN_VAIN: "polled in vain, slept",
    }
)
