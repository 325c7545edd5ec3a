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
        Where.GUEST, "Linux: cpuidle-haltpoll polls in the guest, and saves the exit as well"
    )
    if polls_ns and mean <= polls_ns:
        return Advice(
            title="The host polls through the guest's short idle times",
            changes=(
                Change(Where.HOST, f"a lower {PARAMETER}, if CPU time matters more than latency"),
                Change(Where.GUEST, "find what wakes it so often: timers, interrupts, ping-pong"),
            ),
            expect="Less host CPU time for an idle guest, and slower wake-ups.",
            confidence=Confidence.MEDIUM,
            because="the mean idle time is shorter than the host polls",
            context=context,
        )
    sleeps = Change(Where.HOST, f"echo 200000 > /sys/module/kvm/parameters/{PARAMETER[4:]}")
    dedicated = Change(Where.QEMU, "-overcommit cpu-pm=on, where each vCPU has a CPU of its own")
    return Advice(
        title="The guest falls asleep and wakes up very often",
        changes=(*((sleeps,) if polls_ns == 0 else ()), guest, dedicated),
        expect="Wake-ups without a switch of the host's task: some µs less latency each.",
        confidence=Confidence.MEDIUM,
        because="how much a wake-up costs is not in these numbers: HLT's time is idle time",
        context=context,
    )


RULE = Rule(
    name="halts",
    looks_for="HLT, very often",
    select=select,
    per_s=PER_S,
    because="an idle guest with a 1000 Hz tick makes 1000",
    why="Each HLT gives up the CPU and each wake-up gets it back: an exit, a task switch and often "
    "an IPI. With short idle times that is more than the sleep saves; or the host polls instead.",
    advise=advise,
    remedy="Halt polling (host or guest), or the CPU's own idle states for a dedicated guest.",
    limits="What a wake-up costs the host is not measured here.",
    references=(
        "Linux Documentation/virt/kvm/halt-polling",
        "Linux Documentation/virt/guest-halt-polling",
        "QEMU invocation: -overcommit cpu-pm",
    ),
)
