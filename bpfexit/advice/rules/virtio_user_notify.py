"""virtio notifies that user space serves: no ioeventfd handles them in the kernel."""

from bpfexit.advice import virtio, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule

PER_S = 1000.0


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
        changes=_ioeventfd(evidence) if off or _is_mmio(evidence) else _modern(evidence),
        expect="The vCPU continues at once; an I/O thread or vhost handles the request.",
        confidence=Confidence.HIGH if off and known else Confidence.MEDIUM,
        because="the command line contains ioeventfd=off"
        if off
        else "an ioeventfd is the default, "
        "so the device or its driver is in a state that cannot use it",
        context=tuple(off[:2]),
    )


def _ioeventfd(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<driver … ioeventfd='on'/> of the disk, interface or controller",
        qemu="-device virtio-…,ioeventfd=on, which is the default",
    )


def _is_mmio(evidence: Evidence) -> bool:
    """Say whether they are those of virtio-mmio, which has no legacy and modern PCI device."""
    return bool((select(evidence) & evidence.is_called("virtio-mmio")).any())


def _modern(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="model='virtio-non-transitional' of the disk or interface",
        qemu="-device virtio-…,disable-legacy=on,disable-modern=off",
    )


RULE = Rule(
    name="virtio-user-notify",
    looks_for="virtio notifies served in user space on the vCPU's own thread",
    select=select,
    per_s=PER_S,
    because="fewer cost less than a hundredth of a vCPU at 10 µs each",
    why="With an ioeventfd, a notify ends in the kernel and another thread does the I/O. "
    "Without one, the vCPU itself goes to user space and submits the request there while the "
    "guest stands still.",
    advise=advise,
    remedy="ioeventfd=on (QEMU's default), an IOThread, vhost for the network; modern virtio.",
    limits=virtio.LIMITS,
    references=(
        "https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms",
        "https://libvirt.org/formatdomain.html",
        "https://www.qemu.org/docs/master/system/invocation.html",
    ),
)
