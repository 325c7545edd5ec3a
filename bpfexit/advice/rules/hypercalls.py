"""Hypercalls of the guest."""

from bpfexit.advice import hyperv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.names.hypercalls import HYPERV, KVM

REASONS = ("VMCALL", "hypercall")
PER_S = 2000.0


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
            remedies.in_guest("find what wakes or unmaps so often: threads, locks, page tables"),
        ),
        expect="A hypercall stands for several exits that it spares: fewer causes, fewer calls.",
        confidence=Confidence.LOW,
        because=f"their numbers are not recorded; usual ones of this guest are {kind}",
        context=(f"hypercalls there are: {usual}",),
    )


RULE = Rule(
    name="hypercalls",
    looks_for="hypercalls (VMCALL, VMMCALL)",
    select=select,
    per_s=PER_S,
    because="TLB flushes and IPIs of a guest that does little stay below",
    why="A paravirtual guest calls the hypervisor for what would take several exits: IPIs to many "
    "vCPUs, TLB flushes, a yield to a lock's holder, a kick of one that sleeps.",
    advise=advise,
    remedy="Fewer causes inside the guest; a bridge of calls to exits is worse, so leave them on.",
    limits="Which hypercall it was is not recorded.",
    references=(
        "https://docs.kernel.org/virt/kvm/x86/hypercalls.html",
        "https://learn.microsoft.com/en-us/virtualization/hyper-v-on-windows/tlfs/tlfs",
        hyperv.REFERENCES[0],
    ),
)
