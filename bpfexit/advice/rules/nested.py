"""A guest that is a hypervisor itself."""

from bpfexit.advice import hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

VMX = ("VMRESUME", "VMLAUNCH", "VMREAD", "VMWRITE", "VMCLEAR", "VMPTRLD", "VMPTRST")
VMX_REST = ("VMON", "VMOFF", "INVEPT", "INVVPID")
SVM = ("vmrun", "vmload", "vmsave", "stgi", "clgi", "skinit", "invlpga")
MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return the instructions that only a hypervisor executes."""
    return evidence.reason(*VMX, *VMX_REST, *SVM)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Report what they are; advise what makes them cheaper."""
    del exits
    configuration = evidence.configuration
    is_vmx = evidence.backend == "kvm_intel"
    wants = is_vmx and configuration.has_hyperv
    evmcs = hyperv.enabling(evidence, hyperv.lacking(configuration, "evmcs")) if wants else ()
    return Advice(
        title="The guest is a hypervisor: its own guests' exits come through this host",
        changes=(
            *evmcs,
            Change(Where.GUEST, "Windows: turn off VBS, Credential Guard and WSL2 if not needed"),
            Change(Where.HOST, "run the inner guests on the host itself, or with containers"),
        ),
        expect="Without inner guests these exits end."
        + (
            " hv-evmcs avoids the VMREADs and VMWRITEs of Hyper-V, and turns off posted interrupts "
            "of its guests: measure both."
            if wants
            else ""
        ),
        confidence=Confidence.MEDIUM,
        rationale="only a hypervisor executes these instructions",
        context=(*_nested(evidence), *(hyperv.state(configuration, "evmcs") if wants else ())),
        cause="VMRESUME or vmrun enters an inner guest, which this host has to set up; VMREAD and "
        "VMWRITE, or vmload and vmsave, access its state; INVEPT and INVVPID flush its mappings. "
        "One exit of an inner guest takes several of the outer one.",
    )


def _nested(evidence: Evidence) -> tuple[str, ...]:
    name = f"{evidence.backend}.nested"
    value = evidence.facts.parameters.get(name)
    return (f"{name} is {value} on this host",) if value else ()


RULE = Rule(
    name="nested",
    looks_for="instructions of a hypervisor inside the guest (VMRESUME, VMREAD, vmrun …)",
    select=select,
    min_rate=MIN_RATE,
    rationale="no guest but a hypervisor executes any",
    why="The guest runs its own guests, or Windows with virtualization-based security.",
    advise=advise,
    remedy="hv-evmcs for Hyper-V on Intel; no virtualization-based security; guests on the host.",
    limits="The exits of the inner guests are not distinguished.",
    references=(
        "https://docs.kernel.org/virt/kvm/x86/running-nested-guests.html",
        "https://docs.kernel.org/virt/kvm/x86/nested-vmx.html",
        *hyperv.REFERENCES,
    ),
)
