"""QEMU's `-overcommit cpu-pm=on`: HLT, MWAIT and PAUSE do not exit, for dedicated CPUs."""

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Change


def is_on(evidence: Evidence) -> bool:
    """Return whether the command line turns it on."""
    return any("cpu-pm=on" in text for text in evidence.configuration.values("overcommit"))


def turning_on(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn it on; nothing if it is on, or the guest's VMM has none."""
    if is_on(evidence):
        return ()
    condition = ", if each vCPU has its own CPU: the host then sees an idle vCPU as busy"
    return vmm.setting(
        evidence.guest,
        libvirt="<qemu:commandline><qemu:arg value='-overcommit'/><qemu:arg value='cpu-pm=on'/>"
        f"</qemu:commandline>{condition}",
        qemu=f"-overcommit cpu-pm=on{condition}",
    )
