"""virtio notifies: the guest announces new requests to the device. Expected."""

from bpfexit.advice import virtio
from bpfexit.advice.evidence import Evidence, Exits
from bpfexit.advice.finding import Advice
from bpfexit.advice.rule import Rank, Rule

MIN_RATE = 1.0


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Report that they are expected; those that user space serves too often are taken already."""
    del evidence
    where = "in user space, few enough" if exits.user_share > 0.5 else "in the kernel"
    return Advice(
        title=f"virtio notify: the guest announces new requests; served {where}",
        expected=True,
    )


RULE = Rule(
    name="virtio-notify",
    looks_for="virtio notifies, which are expected",
    select=virtio.notifies,
    min_rate=MIN_RATE,
    rationale="fewer are not worth a line",
    least_share=0.0,
    rank=Rank.LATER,
    why="A virtio guest announces new requests with one write. It is the price of I/O, "
    "and cheap where an ioeventfd handles it in the kernel.",
    advise=advise,
    remedy="None is needed; larger requests, or several at once, need fewer notifies.",
    limits=virtio.LIMITS,
    references=("https://www.qemu.org/docs/master/system/invocation.html",),
)
