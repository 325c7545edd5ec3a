"""What guests take of their host is read from a line as it was written, and is not trusted."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.snapshot import encode
from bpfexit.formats.json.snapshot_reader import decode
from bpfexit.model.usage import Allowed, GuestUsage, HostUsage, Quota, Role, ThreadTimes
from tests.unit.builders import HOSTILE, Exits, snapshot

COUNT = st.none() | st.integers(0, 2**62)
SECONDS = st.floats(0, 1e6)
NUMBER = st.integers(0, 2**31)
TIMES = st.builds(ThreadTimes, st.sampled_from(Role), NUMBER, COUNT, COUNT)
USAGES = st.builds(
    GuestUsage,
    vm=HOSTILE,
    pid=NUMBER,
    seconds=SECONDS,
    threads=st.lists(TIMES).map(tuple),
    resident_bytes=COUNT,
    swapped_bytes=COUNT,
    major_faults=COUNT,
    nodes=st.lists(st.tuples(NUMBER, NUMBER)).map(tuple),
    quotas=st.none() | st.lists(st.builds(Quota, HOSTILE, SECONDS, NUMBER, COUNT)).map(tuple),
    allowed=st.lists(st.builds(Allowed, HOSTILE, NUMBER)).map(tuple),
)


@given(st.lists(USAGES).map(tuple), COUNT)
def test_what_is_written_is_read(guests: tuple[GuestUsage, ...], swapped_in: int | None) -> None:
    of = replace(snapshot(Exits(no_latency=1)), usage=HostUsage(guests, swapped_in))
    line = encode(of)
    assert line.isascii()
    assert line.isprintable()
    assert decode(line).usage == of.usage


def written() -> dict[str, Any]:
    times = (ThreadTimes(Role.VCPU, 2, 7, None),)
    guest = GuestUsage("web", 100, 1.0, times, 5, 3, 1, ((0, 9),), (Quota("/a", 0.5, 2, 1),))
    of = replace(snapshot(Exits(no_latency=1)), usage=HostUsage((guest,), 31))
    document: dict[str, Any] = json.loads(encode(of))
    return document


def test_a_line_without_it_says_nothing() -> None:
    document = written()
    del document["usage"]
    assert decode(json.dumps(document)).usage == HostUsage()
    assert "usage" not in json.loads(encode(snapshot(Exits(no_latency=1))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pid", -1),
        ("seconds", -1.0),
        ("seconds", float("nan")),
        ("threads", [{"role": "root", "threads": 1, "cpu_ns": 1, "wait_ns": 1}]),
        ("threads", [{"role": "vcpu", "threads": 1, "cpu_ns": -1, "wait_ns": 1}]),
        ("resident_bytes", 2**63),
        ("swapped_bytes", 1.5),
        ("nodes", [{"node": 0}]),
        ("quotas", [{"cgroup": "a"}]),
        ("allowed", 7),
        ("vm", "x" * (1 << 18)),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: Any) -> None:
    document = written()
    document["usage"]["guests"][0][name] = value
    with pytest.raises(BpfexitError):
        decode(json.dumps(document))


@pytest.mark.parametrize("value", [7, [], {}, {"guests": []}, {"guests": 7, "swapped_in_pages": 1}])
def test_a_field_that_is_something_else_is_refused(value: Any) -> None:
    with pytest.raises(BpfexitError):
        decode(json.dumps(written() | {"usage": value}))


def test_guests_at_another_place_are_refused() -> None:
    with pytest.raises(BpfexitError):
        decode(json.dumps(written() | {"guests": [1]}))


def test_many_guests_are_read_whole() -> None:
    document = written()
    document["usage"]["guests"] *= 10_007
    assert len(decode(json.dumps(document)).usage.guests) == 10_007
