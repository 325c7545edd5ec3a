"""Accesses to control, debug and descriptor-table registers."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule

_CR = tuple(f"{way}_cr{n}" for way in ("read", "write") for n in (0, 2, 3, 4, 8))
_DR = tuple(f"{way}_dr{n}" for way in ("read", "write") for n in range(8))
_TRAPS = ("cr0_sel_write", "write_cr0_trap", "write_cr4_trap", "write_cr8_trap", "write_efer_trap")
CONTROL = ("CR_ACCESS", *_CR, *_TRAPS)
DEBUG = ("DR_ACCESS", *_DR)
PER_S = 5000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*CONTROL, *DEBUG)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell task priority, debug and other control registers apart."""
    tpr = evidence.take(evidence.reason("read_cr8", "write_cr8", "write_cr8_trap"))
    debug = evidence.take(evidence.reason(*DEBUG))
    if 2 * tpr.count >= exits.count:
        title, cause = "The guest sets its task priority (CR8)", "Windows raises and lowers its "
        cause += "interrupt level by CR8. APICv, AVIC or TPR shadow spare the exits."
    elif 2 * debug.count >= exits.count:
        title, cause = "The guest accesses debug registers", "A debugger, an anti-cheat or Windows "
        cause += "itself saves and loads DR0 to DR7 at each switch of threads that use them."
    else:
        title, cause = "The guest writes control registers", "CR0 and CR4 exit by design, CR3 only "
        cause += "without nested paging: FPU switches (CR0.TS) of old systems, or mode switches."
    return Advice(
        title=title,
        changes=(remedies.in_guest("find the program or driver: a CPU profile of the guest"),),
        expect="The exits end with the accesses.",
        confidence=Confidence.LOW,
        because="the reason is visible only inside the guest",
        cause=cause,
    )


RULE = Rule(
    name="control-registers",
    looks_for="accesses to CR0, CR3, CR4, CR8 and the debug registers",
    select=select,
    per_s=PER_S,
    because="a guest that switches threads with debug registers a thousand times a second is below",
    why="KVM has to see changes of the registers that decide how the guest's memory and exceptions "
    "work.",
    advise=advise,
    remedy="Another version of the system or program; APIC virtualization for CR8.",
    limits="VMX does not tell which register it was.",
    references=(
        "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html",
        "https://docs.kernel.org/virt/kvm/x86/index.html",
    ),
)
