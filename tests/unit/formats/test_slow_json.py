"""Slow exits through JSON and back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.events.access import Access
from bpfexit.events.registry import KINDS
from bpfexit.formats.json import slow as slow_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json import snapshot_reader
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow, SlowExit
from tests.unit.builders import HOSTILE, SLOW_EXIT, pio, snapshot

COUNTS = st.integers(0, 2**63 - 1)
ADDRESSES = st.integers(0, 2**64 - 1)


@st.composite
def exits(draw: st.DrawFn) -> SlowExit:
    kind = draw(st.sampled_from(list(KINDS.values())))
    return SlowExit(
        end=draw(st.floats(0, 1e11)),
        vm=draw(HOSTILE),
        pid=draw(st.integers(0, 2**32 - 1)),
        tid=draw(st.integers(0, 2**32 - 1)),
        vcpu=draw(st.integers(0, 2**31 - 1) | st.just(NO_VCPU)),
        reason=draw(st.none() | HOSTILE),
        kind=kind,
        access=draw(st.sampled_from(Access)),
        size=draw(st.integers(0, 255)),
        address=draw(ADDRESSES) if kind else None,
        rip=draw(st.none() | ADDRESSES),
        ns=draw(st.none() | COUNTS),
        user_ns=draw(COUNTS),
        **{name: draw(st.none() | COUNTS) for name in slow_json.PARTS},
    )


SLOW = st.builds(Slow, COUNTS, st.lists(exits(), max_size=3).map(tuple), COUNTS, COUNTS)


@given(SLOW)
def test_a_snapshot_brings_them_back(slow: Slow) -> None:
    line = snapshot_json.encode(replace(snapshot(pio(0x608)), slow=slow))
    assert snapshot_reader.decode(line).slow == slow


def test_a_snapshot_without_them_says_nothing_of_them() -> None:
    line = snapshot_json.encode(snapshot(pio(0x608)))
    assert "slow" not in json.loads(line)
    assert snapshot_reader.decode(line).slow is None


@given(exits())
def test_a_line_is_one_line_and_has_every_field(each: SlowExit) -> None:
    line = slow_json.encode_line(each)
    assert line.isascii()
    assert "\n" not in line
    document = json.loads(line)
    assert document.pop("schema") == slow_json.SCHEMA
    assert list(document) == [*vars(each), "name", "named_by"]


@pytest.mark.parametrize(
    "broken",
    [
        {"than_ns": 1},
        {"than_ns": 1, "rate_limited": -1, "dropped": 0, "exits": []},
        {"than_ns": 1, "rate_limited": 0, "dropped": 0, "exits": [{}]},
        {"than_ns": 1, "rate_limited": 0, "dropped": 0, "exits": 5},
        [1],
        "text",
    ],
)
def test_what_is_broken_is_refused(broken: object) -> None:
    document = json.loads(snapshot_json.encode(snapshot(pio(0x608)))) | {"slow": broken}
    with pytest.raises(BpfexitError):
        snapshot_reader.decode(json.dumps(document))


def test_an_exit_of_an_older_recording_has_no_parts() -> None:
    line = json.loads(slow_json.encode_line(SLOW_EXIT))
    older = {name: value for name, value in line.items() if name not in slow_json.PARTS}
    assert slow_json.decoded_exit(older) == SLOW_EXIT
