"""Hypercalls of the guest."""

from bpfexit.advice import hyperv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.names.hypercalls import HYPERV, KVM

REASONS = ("VMCALL", "hypercall")
MIN_RATE = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Report which ones they can be, by the guest's kind."""
    del exits
    is_windows = evidence.configuration.has_hyperv
    usual = ", ".join((HYPERV if is_windows else KVM).values())
    kind = "Hyper-V's: TLB flushes, IPIs and spin waits" if is_windows else "KVM's own"
    return Advice(
        title="The guest makes hypercalls",
        changes=(
            remedies.on_host(
                f"`perf trace -e kvm:kvm_hypercall,kvm:kvm_hv_hypercall -p {evidence.pid}` prints "
                "the number of each"
            ),
            remedies.in_guest("find what wakes or unmaps so often: threads, locks, page tables"),
        ),
        expect="A hypercall replaces several exits: with fewer causes there are fewer calls.",
        confidence=Confidence.LOW,
        rationale=f"their numbers are not recorded; usual ones of this guest are {kind}",
        context=(f"hypercalls there are: {usual}",),
    )


RULE = Rule(
    name="hypercalls",
    looks_for="hypercalls (VMCALL, VMMCALL)",
    select=select,
    min_rate=MIN_RATE,
    rationale="TLB flushes and IPIs of a guest that does little stay below",
    why="A paravirtual guest calls the hypervisor for what would take several exits: IPIs to many "
    "vCPUs, TLB flushes, a yield to a lock's holder, a kick of one that sleeps.",
    advise=advise,
    remedy="Fewer causes inside the guest. Leave hypercalls on: what they replace costs more.",
    limits="Which hypercall it was is not recorded.",
    references=(
        "https://docs.kernel.org/virt/kvm/x86/hypercalls.html",
        "https://learn.microsoft.com/en-us/virtualization/hyper-v-on-windows/tlfs/tlfs",
        hyperv.REFERENCES[0],
    ),
)
