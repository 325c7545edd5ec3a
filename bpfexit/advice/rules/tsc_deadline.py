"""The guest's own timer, set all the time."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.access import Access
from bpfexit.events.msr import MSR

TSC_DEADLINE = (0x6E0, 0x6E0)
REASONS = ("PREEMPTION_TIMER",)
MIN_RATE = 4000.0


def select(evidence: Evidence) -> Mask:
    """Return the settings of the TSC deadline, and VMX's exits for its expiry."""
    set_ = evidence.at(MSR, TSC_DEADLINE) & evidence.access(Access.WRITE)
    return set_ | evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise fewer timers."""
    del evidence, exits
    return Advice(
        title="The guest programs its timer",
        changes=(
            remedies.in_guest(
                "find the programs that set short timers: `perf trace`, timer events, sleep loops"
            ),
            remedies.guest_boot("a kernel with CONFIG_HZ=250 or less and NO_HZ_IDLE"),
        ),
        expect="Each timer avoided saves two exits: programming and expiry.",
        confidence=Confidence.MEDIUM,
        rationale="the program is visible only inside the guest",
    )


RULE = Rule(
    name="tsc-deadline",
    looks_for="writes of the TSC deadline MSR 0x6e0, and its expiries",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 1000 Hz tick takes 2000 with its expiries; twice that is more than a tick",
    why="Each timer the guest sets is an exit, and its expiry is another.",
    advise=advise,
    remedy="Fewer, longer timers in the guest; a lower tick rate.",
    limits="This is the normal cost of a timer; only the rate is unusual.",
    references=("https://docs.kernel.org/timers/no_hz.html",),
)
