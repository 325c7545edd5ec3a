"""MSRs of Hyper-V: the synthetic clock, timers and interrupt controller."""

from bpfexit.advice import apicv, hyperv, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MSRS = (0x40000000, 0x400001FF)
REFERENCE_COUNT = (0x40000020, 0x40000020)
APIC = (0x40000070, 0x40000072)
PER_S = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to any of them."""
    return evidence.at(MSR, MSRS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell a clock, the APIC and timers apart."""
    clock = evidence.take(evidence.at(MSR, REFERENCE_COUNT))
    if 2 * clock.count >= exits.count:
        return _clock(evidence)
    apic = evidence.take(evidence.at(MSR, APIC))
    if 2 * apic.count >= exits.count and apicv.is_active(evidence):
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
        because=f"{apicv.because(evidence)}; a timer has no cheaper interface",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "stimer", "avic")),
        candidates=apicv.candidates(evidence),
    )


def _vapic(evidence: Evidence) -> Advice:
    off = vmm.setting(
        evidence.guest,
        libvirt="<features><hyperv><vapic state='off'/></hyperv></features>",
        qemu="-cpu …,hv-vapic=off",
        proxmox='qm set VMID --args "-cpu host,hv-vapic=off" (with all other flags: it replaces '
        "-cpu)",
        kubevirt="spec.template.spec.domain.features.hyperv.vapic: {enabled: false}",
    )
    return Advice(
        title=f"The guest writes EOI and ICR to Hyper-V's MSRs, which {apicv.name(evidence)} "
        "would spare",
        changes=off,
        expect="The guest uses its local APIC, whose EOI and TPR the CPU handles itself. PV EOI "
        "gains nothing there.",
        confidence=Confidence.MEDIUM,
        because=f"{apicv.name(evidence)} is on and nothing known inhibits it; the MSRs of Hyper-V "
        "exit all the same",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "vapic", "avic")),
    )


def _clock(evidence: Evidence) -> Advice:
    clocksource = evidence.facts.clocksource
    said = (f"the host's clocksource is {clocksource}",) if clocksource else ()
    tsc = remedies.boot("clocksource=tsc tsc=reliable") if clocksource not in ("tsc", "") else None
    return Advice(
        title="The guest reads Hyper-V's reference clock by MSR, not from its page",
        changes=(
            *((tsc,) if tsc else ()),
            *vmm.setting(
                evidence.guest,
                libvirt="<cpu><feature policy='require' name='invtsc'/></cpu>",
                qemu="-cpu …,invtsc=on (bars migration to other TSC frequencies)",
                kubevirt="spec.template.spec.domain.cpu.features: [{name: invtsc}]",
            ),
        ),
        expect="The reads come from the reference TSC page, without an exit.",
        confidence=Confidence.MEDIUM,
        because="without a stable TSC the page is not offered, or not used",
        context=(*said, *hyperv.state(evidence.configuration, "time")),
    )


RULE = Rule(
    name="hyperv-msr",
    looks_for="accesses to Hyper-V's synthetic MSRs (0x40000000-0x400001ff)",
    select=select,
    per_s=PER_S,
    because="a Windows guest at 64 to 1000 ticks per second stays below, timer and EOM included",
    why="Each access is an exit. The reference counter can be read from a page of memory "
    "without one; EOI, ICR and TPR (0x40000070-72, hv-vapic) bypass APIC virtualization.",
    advise=advise,
    remedy="A stable TSC for the clock; APIC virtualization with hv-vapic off, or without it "
    "hv-vapic.",
    limits="A guest with many short timers makes many accesses; the reason is inside the guest.",
    references=(
        *hyperv.REFERENCES,
        "https://learn.microsoft.com/en-us/virtualization/hyper-v-on-windows/tlfs/timers",
    ),
)
