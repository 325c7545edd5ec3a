"""Lines of others: any value in any place is read, or refused with one sentence."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import snapshot_reader
from bpfexit.formats.json.snapshot import encode
from bpfexit.formats.json.snapshot_reader import decode
from bpfexit.formats.json.values import KEPT_NAME
from bpfexit.model.guest import Guest
from bpfexit.model.slow import Slow
from tests.unit.builders import (
    HOSTILE,
    SLOW_EXIT,
    pio,
    snapshot,
)
from tests.unit.formats.small_snapshot import document, small


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inside:
        found.append((*path, key))
        if isinstance(each, dict | list):
            found += places(each, (*path, key))
    return found


PLACES = places(json.loads(encode(small())))


NUMBERS = (
    st.integers()
    | st.sampled_from([2**31, 2**32, 2**63, 2**64, 10**400, -1, 1e300, 0.5])
    | st.floats()
)


STRANGE = st.recursive(
    st.none() | st.booleans() | NUMBERS | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def drop(value: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


def read_or_refused(line: str) -> None:
    """Read a line; what comes out must be good enough to be written again."""
    try:
        found = decode(line)
    except BpfexitError as error:
        refusal = str(error)
    else:
        refusal = ""
        encode(found)
    assert refusal == "" or refusal.isprintable()
    assert len(refusal) < 200


@settings(max_examples=400)
@given(st.sampled_from(PLACES), STRANGE)
def test_a_field_of_another_kind_is_read_or_refused(path: tuple[Any, ...], new: Any) -> None:
    changed = document(small())
    put(changed, path, new)
    read_or_refused(json.dumps(changed))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_missing_field_is_read_or_refused(path: tuple[Any, ...]) -> None:
    changed = document(small())
    drop(changed, path)
    read_or_refused(json.dumps(changed))


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)), max_size=3))
def test_values_in_the_wrong_places_are_read_or_refused(
    swaps: list[tuple[tuple[Any, ...], tuple[Any, ...]]],
) -> None:
    source, changed = document(small()), document(small())
    for target, origin in sorted(swaps, key=lambda swap: -len(swap[0])):
        value = source
        for key in origin:
            value = value[key]
        put(changed, target, copy.deepcopy(value))
    read_or_refused(json.dumps(changed))


@given(st.text() | st.from_regex(r'\{"schema":"bpfexit\.snapshot/1"(,"\w{1,9}":[0-9{\["]{0,4})*'))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(BpfexitError):
        decode(text)


@given(st.data())
def test_a_line_that_is_cut_is_refused(data: st.DataObject) -> None:
    line = encode(small())
    with pytest.raises(BpfexitError):
        decode(line[: data.draw(st.integers(0, len(line) - 1))])


@pytest.mark.parametrize("deep", ["[" * 10**5, '{"a":' * 10**5, '{"schema":' + "[" * 10**5])
def test_deep_nesting_is_refused(deep: str) -> None:
    with pytest.raises(BpfexitError):
        decode(deep)


def test_deep_nesting_in_a_name_is_read_or_refused() -> None:
    for depth in (100, 900, 5000):
        line = encode(small()).replace('"beta"', "[" * depth + "]" * depth)
        read_or_refused(line)


@pytest.mark.parametrize("other", ["bpfexit.snapshot/3", "", None, 1, ["bpfexit.snapshot/2"]])
def test_another_schema_is_refused_by_its_name(other: Any) -> None:
    with pytest.raises(BpfexitError, match="schema"):
        decode(json.dumps(document(small()) | {"schema": other}))


@pytest.mark.parametrize("name", ["pid", "tid", "count", "address", "size", "vcpu", "user_ns"])
@pytest.mark.parametrize("value", ["12", -1, 1.0, True, [1], 2**64, float("nan"), 10**30])
def test_a_number_of_a_row_is_a_whole_number(name: str, value: Any) -> None:
    changed = document(small())
    changed["rows"][0][name] = value
    with pytest.raises(BpfexitError):
        decode(json.dumps(changed))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "soon", None, 1e300])
@pytest.mark.parametrize("name", ["start", "duration_s"])
def test_a_time_is_a_number_that_can_be_one(name: str, value: Any) -> None:
    with pytest.raises(BpfexitError):
        decode(json.dumps(document(small()) | {name: value}))


@pytest.mark.parametrize("hist", [[[96, 112, 4]], [[96, 112, 2], [96, 112, 2]], [[97, 112, 1]]])
def test_a_histogram_fits_its_row_and_the_buckets(hist: list[list[int]]) -> None:
    changed = document(small())
    changed["rows"][0]["hist"] = hist
    with pytest.raises(BpfexitError):
        decode(json.dumps(changed))


def test_a_very_long_name_of_a_guest_that_ended_is_cut() -> None:
    of = snapshot(pio(0x70, vm="x" * 2000, pid=7), guests=(Guest(7, "x", ended=True),))
    (guest,) = decode(encode(of)).guests
    assert guest.name == "x" * (KEPT_NAME - 1) + "…"


def test_too_many_slow_exits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(snapshot(), slow=Slow(1, (SLOW_EXIT,) * 20))
    assert decode(encode(slow)).slow == slow.slow
    monkeypatch.setattr(snapshot_reader, "MEMORY", 20_000)
    with pytest.raises(BpfexitError, match="takes more than"):
        decode(encode(slow))
