"""Bus locks of the guest, for which QEMU slows it down."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("BUS_LOCK", "buslock")
MIN_RATE = 10.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for bus locks."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to find the program, or to take the limit away."""
    del exits
    machine = evidence.configuration.machine_property("bus-lock-ratelimit")
    return Advice(
        title="The guest takes bus locks, and user space limits their rate",
        changes=(
            remedies.in_guest("find the program: a locked access across two cache lines"),
            *vmm.setting(
                evidence.guest,
                libvirt="no bus-lock-ratelimit in <qemu:commandline>",
                qemu="-machine … without bus-lock-ratelimit",
            ),
        ),
        expect="Without the limit a bus lock takes a microsecond, and slows the other CPUs.",
        confidence=Confidence.MEDIUM,
        rationale="KVM exits for a bus lock only where user space asks for it, to limit them",
        context=(f"-machine bus-lock-ratelimit={machine}",) if machine else (),
    )


RULE = Rule(
    name="bus-lock",
    looks_for="bus locks that exit to user space (BUS_LOCK, buslock)",
    select=select,
    min_rate=MIN_RATE,
    rationale="the limit's sleeps cost a hundredth of a vCPU from one per second on",
    why="A locked access across two cache lines, or to uncached memory, stops all CPUs. With "
    "bus-lock-ratelimit, KVM exits to QEMU for each, and QEMU sleeps for those above the limit.",
    advise=advise,
    remedy="Another version of the program, or no bus-lock-ratelimit.",
    limits="The guest's instruction is not recorded.",
    references=(
        "https://docs.kernel.org/arch/x86/buslock.html",
        "https://docs.kernel.org/virt/kvm/api.html",
    ),
)
