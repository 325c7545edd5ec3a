"""Each exit is in exactly one distribution, under what it was grouped by."""

from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.msr import MSR
from bpfexit.model.distribution import Bucket, distributions
from bpfexit.model.histogram import POWERS_OF_TWO_NS
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import DIMENSIONS, Query
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots

BY = st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True).map(tuple)
DEFAULT = Query(("reason", "port", "mmio", "msr"))


@given(snapshots(Isa.VMX), BY)
def test_every_exit_is_in_one_distribution(of: Snapshot, by: tuple[str, ...]) -> None:
    query = Query(by)
    rows, timed = of.rows, of.rows.hist.totals()
    keep = [bool(query.groups) or kind in query.kinds for kind in rows["kind"]]
    busy = [not idle or "reason" in by for idle in of.idle]
    found = distributions(of, query)
    assert sum(each.exits for each in found) == int(rows["count"][keep].sum())
    known = [a and b for a, b in zip(keep, busy, strict=True)]
    assert sum(each.count for each in found) == int(timed[known].sum())
    assert sum(each.total_ns for each in found) == int(rows["total_ns"][known].sum())


@given(snapshots(), BY)
def test_no_two_distributions_have_the_same_labels(of: Snapshot, by: tuple[str, ...]) -> None:
    labels = [tuple(each.labels.items()) for each in distributions(of, Query(by))]
    assert len(set(labels)) == len(labels)


@given(snapshots(Isa.SVM))
def test_coarser_buckets_change_no_sum(of: Snapshot) -> None:
    for each in distributions(of, DEFAULT):
        coarse = each.rebucketed(POWERS_OF_TWO_NS)
        assert (coarse.count, coarse.total_ns) == (each.count, each.total_ns)
        assert (coarse.exits, coarse.max_ns) == (each.exits, each.max_ns)


def test_an_address_is_apart_from_the_rest_of_its_reason() -> None:
    of = snapshot(pio(0x70, ns=(100, 200)), Exits(ns=(50,)), Exits("HLT", ns=(10**6,)))
    assert [dict(each.labels) for each in distributions(of, DEFAULT)] == [
        {"reason": "IO_INSTRUCTION", "kind": "pio", "address": 0x70, "access": "read"},
        {"reason": "IO_INSTRUCTION", "kind": None, "address": None, "access": None},
        {"reason": "HLT", "kind": None, "address": None, "access": None},
    ]


def test_an_address_of_another_kind_is_none() -> None:
    msr = Exits(kind=MSR, access=Access.WRITE, address=0x79, ns=(30,))
    (each,) = distributions(snapshot(msr, Exits(ns=(50,))), Query(("reason", "port")))
    assert each.count == 2


def test_what_is_not_known_has_a_label_all_the_same() -> None:
    of = snapshot(Exits(reason=None, vcpu=-1, no_latency=3))
    (each,) = distributions(of, Query(("vcpu", "reason")))
    assert dict(each.labels) == {
        "vm": "alpha",
        "pid": 100,
        "vcpu": None,
        "tid": 101,
        "reason": None,
    }
    assert (each.exits, each.count, each.used, each.span) == (3, 0, [], [])


def test_buckets_end_where_the_next_begins_and_the_last_above_the_maximum() -> None:
    (each,) = distributions(snapshot(Exits(ns=(20, 60, 2**40))), Query(("reason",)))
    assert each.used == [(16, 32, 1), (48, 64, 1), (2**36, 2**40 + 1, 1)]
    assert each.span[:3] == [Bucket(16, 32, 1), Bucket(32, 48, 0), Bucket(48, 64, 1)]
    assert each.rebucketed(POWERS_OF_TWO_NS).used[1] == (32, 64, 1)
