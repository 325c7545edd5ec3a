"""Short idle times: wake-ups that cost more than the sleep saves."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

PER_S = 2000.0
PARAMETER = "kvm.halt_poll_ns"


def select(evidence: Evidence) -> Mask:
    """Return the exits for HLT."""
    return evidence.idle


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell a host that polls all of the idle time from one that sleeps too soon."""
    del exits
    text = evidence.facts.parameters.get(PARAMETER, "")
    polls_ns = int(text) if text.isascii() and text.isdecimal() else None
    mean = evidence.halts.mean_ns
    context = () if polls_ns is None else (f"{PARAMETER} is {polls_ns} on this host",)
    guest = Change(
        Where.GUEST, "Linux: cpuidle-haltpoll polls in the guest, which saves the exit, too"
    )
    if polls_ns and mean <= polls_ns:
        return Advice(
            title="The host polls through the guest's short idle times",
            changes=(
                Change(Where.HOST, f"a lower {PARAMETER}, if CPU time matters more than latency"),
                Change(
                    Where.GUEST,
                    "find what wakes the guest: timers, interrupts, threads that wake each other",
                ),
            ),
            expect="An idle guest takes less host CPU time, and wakes up more slowly.",
            confidence=Confidence.MEDIUM,
            because="the mean idle time is shorter than the polling limit",
            context=context,
        )
    sleeps = Change(Where.HOST, f"echo 200000 > /sys/module/kvm/parameters/{PARAMETER[4:]}")
    dedicated = Change(Where.QEMU, "-overcommit cpu-pm=on, where each vCPU has a CPU of its own")
    return Advice(
        title="Very frequent HLT exits",
        changes=(*((sleeps,) if polls_ns == 0 else ()), guest, dedicated),
        expect="Wake-ups without a context switch on the host: some µs less latency each.",
        confidence=Confidence.MEDIUM,
        because="these numbers do not contain the cost of a wake-up: the time of HLT is idle time",
        context=context,
    )


RULE = Rule(
    name="halts",
    looks_for="HLT, very often",
    select=select,
    per_s=PER_S,
    because="an idle guest with a 1000 Hz tick takes 1000",
    why="Each HLT gives up the CPU and each wake-up gets it back: an exit, a task switch and often "
    "an IPI. With short idle times that costs more than sleeping saves; or the host polls instead.",
    advise=advise,
    remedy="Halt polling (host or guest), or the CPU's own idle states for a dedicated guest.",
    limits="The cost of a wake-up on the host is not measured.",
    references=(
        "Linux Documentation/virt/kvm/halt-polling",
        "Linux Documentation/virt/guest-halt-polling",
        "QEMU invocation: -overcommit cpu-pm",
    ),
)
