"""MSRs of Hyper-V: the synthetic clock, timers and interrupt controller."""

from bpfexit.advice import apicv, hyperv, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MSRS = (0x40000000, 0x400001FF)
REFERENCE_COUNT = (0x40000020, 0x40000020)
APIC = (0x40000070, 0x40000072)
MIN_RATE = 2000.0
_CLOCK_CANDIDATES = (
    Candidate(
        "the TSCs of the vCPUs differ, so KVM has no master clock",
        "the event kvm:kvm_update_master_clock while the guest starts",
    ),
    Candidate(
        "the guest runs Hyper-V itself (its role, or VBS), which trusts the page only with "
        "hv-reenlightenment, hv-frequencies or invtsc",
        "whether VMRESUME or vmrun exits, too: `bpfexit top --by reason`",
    ),
)


def select(evidence: Evidence) -> Mask:
    """Return accesses to any of them."""
    return evidence.at(MSR, MSRS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish a clock, the APIC and timers."""
    clock = evidence.take(evidence.at(MSR, REFERENCE_COUNT))
    if 2 * clock.count >= exits.count:
        return _clock(evidence)
    apic = evidence.take(evidence.at(MSR, APIC))
    needs_vapic = evidence.configuration.hyperv("evmcs")
    if 2 * apic.count >= exits.count and apicv.is_active(evidence) and not needs_vapic:
        return _vapic(evidence)
    return Advice(
        title="The guest uses Hyper-V's timer and interrupt MSRs",
        changes=(
            *apicv.changes(evidence),
            remedies.in_guest(
                "find the programs that set short timers: powercfg /energy lists them"
            ),
        ),
        expect="APIC virtualization handles EOI, TPR and IPIs without an exit; each timer "
        "remains one.",
        confidence=Confidence.LOW,
        rationale=f"{apicv.rationale(evidence)}; a timer has no cheaper interface",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "stimer", "avic")),
        candidates=apicv.candidates(evidence),
    )


def _vapic(evidence: Evidence) -> Advice:
    off = vmm.setting(
        evidence.guest,
        libvirt="<features><hyperv><vapic state='off'/></hyperv></features>",
        qemu="-cpu …,hv-vapic=off",
        kubevirt="spec.template.spec.domain.features.hyperv.vapic: {enabled: false}",
    )
    return Advice(
        title=f"The guest writes EOI and ICR to Hyper-V's MSRs, which {apicv.name(evidence)} "
        "would avoid",
        changes=off,
        expect="The guest uses its local APIC, whose EOI and TPR the CPU handles itself. PV EOI "
        "gains nothing there.",
        confidence=Confidence.MEDIUM,
        rationale=f"{apicv.name(evidence)} is on and nothing known inhibits it; Hyper-V's MSRs "
        "exit nevertheless",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "vapic", "avic")),
    )


def _clock(evidence: Evidence) -> Advice:
    clocksource = evidence.facts.clocksource
    facts = (f"the host's clocksource is {clocksource}",) if clocksource else ()
    no_tsc = bool(clocksource) and "tsc" not in clocksource
    boot = "clocksource=tsc tsc=reliable, if dmesg does not call the TSC unstable,"
    return Advice(
        title="The guest reads Hyper-V's reference clock by MSR, not from its page",
        changes=(remedies.boot(boot),) if no_tsc else _nested_clock(evidence),
        expect="The reads come from the reference TSC page, without an exit.",
        confidence=Confidence.MEDIUM if no_tsc else Confidence.LOW,
        rationale="KVM fills the page only while the host's clocksource is the TSC and the TSCs of "
        "all vCPUs agree",
        context=(*facts, *hyperv.state(evidence.configuration, "time")),
        candidates=() if no_tsc else _CLOCK_CANDIDATES,
    )


def _nested_clock(evidence: Evidence) -> tuple[Change, ...]:
    """Return what lets Hyper-V inside the guest trust the page."""
    names = ("frequencies", "reenlightenment")
    return (
        *hyperv.enabling(evidence, hyperv.lacking(evidence.configuration, *names)),
        *vmm.setting(
            evidence.guest,
            libvirt="<cpu><feature policy='require' name='invtsc'/></cpu>",
            qemu="-cpu …,invtsc=on (bars migration to other TSC frequencies)",
            kubevirt="spec.template.spec.domain.cpu.features: [{name: invtsc}]",
        ),
    )


RULE = Rule(
    name="hyperv-msr",
    looks_for="accesses to Hyper-V's synthetic MSRs (0x40000000-0x400001ff)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a Windows guest at 64 to 1000 ticks per second stays below, timer and EOM included",
    why="Each access is an exit. The reference counter can be read from a page of memory "
    "without one; EOI, ICR and TPR (0x40000070-72, hv-vapic) bypass APIC virtualization.",
    advise=advise,
    remedy="The TSC as the host's clock source; APIC virtualization with hv-vapic off, or "
    "without it hv-vapic.",
    limits="A guest with many short timers makes many accesses; the reason is inside the guest.",
    references=(
        *hyperv.REFERENCES,
        "https://learn.microsoft.com/en-us/virtualization/hyper-v-on-windows/tlfs/timers",
    ),
)
