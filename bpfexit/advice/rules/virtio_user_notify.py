"""virtio notifies that user space serves: no ioeventfd handles them in the kernel."""

from bpfexit.advice import virtio, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence
from bpfexit.advice.rule import Rule

MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return the notifies that went to user space."""
    return virtio.notifies(evidence) & evidence.in_user_space()


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise ioeventfd, or modern virtio."""
    del exits
    off = [text for text in evidence.configuration.devices("virtio-") if "ioeventfd=off" in text]
    known = evidence.is_mapped(select(evidence))
    return Advice(
        title="virtio notifies are served in user space",
        changes=_ioeventfd(evidence),
        expect="The vCPU continues at once; an I/O thread or vhost handles the request.",
        confidence=_confidence(bool(off), known),
        rationale="the command line contains ioeventfd=off"
        if off
        else "an ioeventfd is the default of most devices, and this one works without",
        context=tuple(off[:2]),
        candidates=() if off else _candidates(evidence),
    )


def _candidates(evidence: Evidence) -> tuple[Candidate, ...]:
    without = Candidate("the device has no ioeventfd", "the VMM's documentation")
    if vmm.is_qemu(evidence.guest):
        without = Candidate(
            "the device has no ioeventfd: virtio-gpu, -balloon, -input and others of QEMU",
            "its name (--qmp or --libvirt, or `info mtree -f` of the monitor)",
        )
    return (
        without,
        Candidate(
            "no driver has started the device: firmware or a boot loader works it",
            "whether the exits end once the guest's system runs",
        ),
        Candidate("the ioeventfd could not be set up", "the VMM's log"),
    )


def _confidence(is_off: bool, is_mapped: bool) -> Confidence:
    if not is_off:
        return Confidence.LOW
    return Confidence.HIGH if is_mapped else Confidence.MEDIUM


def _ioeventfd(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<driver … ioeventfd='on'/> of the disk, interface or controller",
        qemu="-device virtio-…,ioeventfd=on, which is the default of most devices",
    )


RULE = Rule(
    name="virtio-user-notify",
    looks_for="virtio notifies served in user space on the vCPU's own thread",
    select=select,
    min_rate=MIN_RATE,
    rationale="fewer cost less than a hundredth of a vCPU at 10 µs each",
    why="With an ioeventfd, a notify ends in the kernel and another thread does the I/O. "
    "Without one, the vCPU itself goes to user space and submits the request there while the "
    "guest stands still.",
    advise=advise,
    remedy="ioeventfd=on (QEMU's default for most devices), an IOThread, vhost for the network.",
    limits=virtio.LIMITS,
    references=(
        "https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms",
        "https://libvirt.org/formatdomain.html",
        "https://www.qemu.org/docs/master/system/invocation.html",
    ),
)
