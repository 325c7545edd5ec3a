"""Split locks of the guest, for which the host makes it sleep."""

from bpfexit.advice import remedies, slow
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.model import numbers

MIN_RATE = 10.0
MITIGATE = "kernel.split_lock_mitigate"
_SYSCTL_SINCE = "Linux 6.2, and 6.1 with stable updates"


def select(evidence: Evidence) -> Mask:
    """Return exceptions that last as long as the mitigation makes them last."""
    return slow.split_locks(evidence)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to turn the mitigation off, or to find the program."""
    facts = evidence.facts
    setting = facts.settings.get(MITIGATE)
    detects = facts.has_flag("split_lock_detect")
    known = setting == "1" and bool(detects)
    return Advice(
        title="The guest executes split locks, and the host makes it sleep for each",
        changes=(
            remedies.sysctl(MITIGATE, "0", _SYSCTL_SINCE),
            remedies.boot("split_lock_detect=off", "Linux 5.7"),
            remedies.in_guest("find the program: a locked access across two cache lines"),
        ),
        expect="Without the mitigation a split lock takes a microsecond, and slows the other CPUs.",
        confidence=Confidence.HIGH if known else Confidence.MEDIUM,
        rationale=f"{numbers.duration(exits.mean_ns)} each is the mitigation's sleep of 10 ms",
        context=(*((f"{MITIGATE} is {setting} on this host",) if setting else ()),),
        candidates=() if known else _candidates(evidence.pid),
    )


def _candidates(pid: int) -> tuple[Candidate, ...]:
    return (
        Candidate(
            "split locks",
            f"dmesg (`x86/split lock detection`), `sysctl {MITIGATE}`",
        ),
        Candidate(
            "another exception whose thread waits for a CPU",
            f"the second field of /proc/{pid}/task/*/schedstat grows by as much",
        ),
    )


RULE = Rule(
    name="split-lock",
    looks_for="exceptions (#AC) that last some 10 ms each",
    select=select,
    min_rate=MIN_RATE,
    rationale="the mitigation's sleeps cost a hundredth of a vCPU from one per second on",
    why="A locked access across two cache lines stops all CPUs for a microsecond. Hosts whose CPU "
    "detects it (Intel) let the thread that does it sleep for 10 ms, and one at a time, since "
    "Linux 5.19.",
    advise=advise,
    remedy="sysctl kernel.split_lock_mitigate=0 (Linux 6.2), split_lock_detect=off at boot (Linux "
    "5.7), or another version of the program (some games and old drivers).",
    limits="The exception's vector is not recorded; its duration and the host's settings decide.",
    references=(
        "https://docs.kernel.org/arch/x86/buslock.html",
        "https://docs.kernel.org/admin-guide/sysctl/kernel.html",
        "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    ),
    rank=Rank.EARLY,
)
