"""Accesses to control, debug and descriptor-table registers."""

from bpfexit.advice import apicv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule

_CR = tuple(f"{way}_cr{n}" for way in ("read", "write") for n in (0, 2, 3, 4, 8))
_DR = tuple(f"{way}_dr{n}" for way in ("read", "write") for n in range(8))
_TRAPS = ("cr0_sel_write", "write_cr0_trap", "write_cr4_trap", "write_cr8_trap", "write_efer_trap")
CONTROL = ("CR_ACCESS", *_CR, *_TRAPS)
DEBUG = ("DR_ACCESS", *_DR)
MIN_RATE = 5000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*CONTROL, *DEBUG)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish task priority, debug and other control registers."""
    tpr = evidence.take(evidence.reason("read_cr8", "write_cr8", "write_cr8_trap"))
    debug = evidence.take(evidence.reason(*DEBUG))
    if 2 * tpr.count >= exits.count:
        title, cause = "The guest sets its task priority (CR8)", "Windows raises and lowers its "
        cause += "interrupt level by CR8. APICv, AVIC or TPR shadow avoid the exits."
    elif 2 * debug.count >= exits.count:
        title, cause = "The guest accesses debug registers", "A debugger, an anti-cheat or Windows "
        cause += "itself saves and loads DR0 to DR7 at each switch of threads that use them."
    else:
        title, cause = "The guest writes control registers", "CR0 and CR4 exit by design, CR3 only "
        cause += "without nested paging: FPU switches (CR0.TS) of old systems, or mode switches."
    is_priority = 2 * tpr.count >= exits.count
    return Advice(
        title=title,
        changes=(
            *(apicv.changes(evidence) if is_priority else ()),
            remedies.on_host(f"`perf trace -e kvm:kvm_cr -p {evidence.pid}` prints each register"),
            remedies.in_guest("find the program or driver: a CPU profile of the guest"),
        ),
        expect="The exits end with the accesses.",
        confidence=Confidence.LOW,
        rationale="the reason is visible only inside the guest",
        context=apicv.state(evidence) if is_priority else (),
        cause=cause,
    )


RULE = Rule(
    name="control-registers",
    looks_for="accesses to CR0, CR3, CR4, CR8 and the debug registers",
    select=select,
    min_rate=MIN_RATE,
    rationale="switching threads with debug registers 1,000 times per second stays below it",
    why="KVM has to see changes of the registers that decide how the guest's memory and exceptions "
    "work.",
    advise=advise,
    remedy="Another version of the system or program; APIC virtualization for CR8.",
    limits="On VMX the reason does not name the register; the event kvm:kvm_cr does.",
    references=(
        "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html",
        "https://docs.kernel.org/virt/kvm/x86/index.html",
    ),
)
