"""Any other MSR, accessed all the time."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.msr import MSR

PERFORMANCE = (
    (0xC1, 0xC8),
    (0x186, 0x18D),
    (0x309, 0x30C),
    (0x38D, 0x390),
    (0x4C1, 0x4C8),
    (0xC0000300, 0xC0000303),
    (0xC0010000, 0xC0010007),
    (0xC0010200, 0xC001020B),
)
REASONS = ("MSR_READ", "MSR_WRITE", "msr")
MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to MSRs, and exits for MSRs of which no access was seen."""
    return evidence.kind(MSR) | evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name the performance counters; for other MSRs, report how to find the cause."""
    counters = evidence.take(evidence.at(MSR, *PERFORMANCE))
    if 2 * counters.count >= exits.count:
        return Advice(
            title="The guest programs performance counters",
            changes=(
                remedies.in_guest("stop the profiler, or the NMI watchdog: nmi_watchdog=0"),
                *_no_pmu(evidence),
            ),
            expect="The exits end with the profiling.",
            confidence=Confidence.HIGH,
            rationale="these MSRs have no other use",
            context=_amd(evidence),
        )
    return Advice(
        title="The guest accesses an emulated MSR",
        changes=(
            remedies.in_guest("find the driver or monitoring tool: turbostat, rdmsr, agents"),
            remedies.on_host("dmesg reports whether KVM ignores it as unknown"),
        ),
        expect="The exits end with the accesses.",
        confidence=Confidence.LOW,
        rationale="the CPU's manual explains the MSR; its user is visible only inside the guest",
    )


def _no_pmu(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to take the PMU away: on AMD, guests use the older counters all the same."""
    if evidence.backend == "kvm_amd":
        return (remedies.reload_kvm("kvm_amd", "enable_pmu", "N", "no guest has a PMU then"),)
    return vmm.setting(
        evidence.guest,
        libvirt="<features><pmu state='off'/></features>",
        qemu="-cpu …,pmu=off",
        openstack="openstack image set --property hw_pmu=false IMAGE",
    )


def _amd(evidence: Evidence) -> tuple[str, ...]:
    if evidence.backend != "kvm_amd":
        return ()
    return (
        "pmu=off hides PerfMonV2 (0xc0000300-303) from the guest, but not the older counters, "
        "which guests find on every AMD CPU",
    )


RULE = Rule(
    name="msr",
    looks_for="accesses to MSRs that no other rule knows",
    select=select,
    min_rate=MIN_RATE,
    rationale="MSRs in steady use are passed through, or other rules know them",
    why="KVM passes only some MSRs through to the guest. Each access to another is an exit, and "
    "to one it does not know an exception in the guest, too.",
    advise=advise,
    remedy="Find the user inside the guest; disable the PMU for guests that need none.",
    limits="The MSRs that are passed through depend on CPU and kernel.",
    references=(
        "https://docs.kernel.org/virt/kvm/x86/msr.html",
        "https://libvirt.org/formatdomain.html#hypervisor-features",
    ),
    rank=Rank.REST,
)
