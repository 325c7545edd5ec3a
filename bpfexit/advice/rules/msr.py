"""Any other MSR, accessed all the time."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

PERFORMANCE = (
    (0xC1, 0xC8),
    (0x186, 0x18D),
    (0x309, 0x30C),
    (0x38D, 0x390),
    (0xC0010000, 0xC0010007),
    (0xC0010200, 0xC001020B),
)
REASONS = ("MSR_READ", "MSR_WRITE", "msr")
PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to MSRs, and exits for MSRs of which no access was seen."""
    return evidence.kind(MSR) | evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name the performance counters; of others, say how to find out."""
    counters = evidence.take(evidence.at(MSR, *PERFORMANCE))
    if 2 * counters.count >= exits.count:
        return Advice(
            title="The guest programs performance counters continuously",
            changes=(
                Change(Where.GUEST, "stop the profiler, or the NMI watchdog: nmi_watchdog=0"),
                Change(Where.LIBVIRT, "<features><pmu state='off'/></features>"),
                Change(Where.QEMU, "-cpu …,pmu=off"),
            ),
            expect="The exits end with the profiling.",
            confidence=Confidence.HIGH,
            because="these MSRs have no other use",
        )
    return Advice(
        title="The guest accesses an emulated MSR continuously",
        changes=(
            Change(Where.GUEST, "find the driver or monitoring tool: turbostat, rdmsr, agents"),
            Change(Where.HOST, "dmesg says whether KVM ignores it as unknown"),
        ),
        expect="The exits end with the accesses.",
        confidence=Confidence.LOW,
        because="the CPU's manual explains the MSR; its user is visible only inside the guest",
    )


RULE = Rule(
    name="msr",
    looks_for="accesses to MSRs that no other rule knows",
    select=select,
    per_s=PER_S,
    because="MSRs in steady use are passed through, or other rules know them",
    why="KVM passes only some MSRs through to the guest. Each access to another is an exit, and "
    "to one it does not know an exception in the guest, too.",
    advise=advise,
    remedy="Find the user inside the guest; disable the PMU for guests that need none.",
    limits="The MSRs that are passed through depend on CPU and kernel.",
    references=("Linux Documentation/virt/kvm/x86/msr", "libvirt domain XML: features, pmu"),
    rest=True,
)
