"""Distributions for the formats: of any guests, hostile names and all."""

from collections.abc import Iterable

from hypothesis import strategies as st

from bpfexit.model.distribution import Distribution, distributions
from bpfexit.model.histogram import POWERS_OF_TWO_NS
from bpfexit.model.view import Query
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, snapshot, snapshots

ALL = Query(("vm", "vcpu", "reason", "port", "mmio", "msr"))
SAMPLES = st.lists(st.integers(0, 2**12) | st.integers(0, 2**38), min_size=1, max_size=40)


def whole(pieces: Iterable[str]) -> str:
    """Return what a format yields piece by piece."""
    return "".join(pieces)


@st.composite
def any_distributions(draw: st.DrawFn) -> list[Distribution]:
    """Return what `hist` hands to a format: all with a latency, fine buckets or coarse."""
    coarse = draw(st.booleans())
    found = [each for each in distributions(draw(snapshots(Isa.VMX)), ALL) if each.count]
    return [each.rebucketed(POWERS_OF_TWO_NS) if coarse else each for each in found]


def of(samples: list[int], vm: str = "alpha", coarse: bool = False) -> Distribution:
    """Return one distribution of these latencies, by guest."""
    (each,) = distributions(snapshot(Exits(ns=tuple(samples), vm=vm)), Query(("vm",)))
    return each.rebucketed(POWERS_OF_TWO_NS) if coarse else each
