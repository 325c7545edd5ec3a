"""The shape of `bpftrace -f json`, whose bounds are inclusive."""

import json
import shutil
import subprocess
from typing import Any

from hypothesis import given

from bpfexit.formats.hist.bpftrace import MAP, encode
from bpfexit.model.distribution import Distribution
from tests.requirements import lacking
from tests.unit.formats.distributed import SAMPLES, any_distributions, of, whole

PROGRAM = 'BEGIN { @exit_ns["x", 1] = hist(5); @exit_ns["y", 2] = hist(70); exit(); }'


def keys(text: str) -> dict[str, list[dict[str, int]]]:
    document = json.loads(text)
    assert document["type"] == "hist"
    found: dict[str, list[dict[str, int]]] = document["data"][MAP]
    return found


@given(any_distributions())
def test_every_exit_is_there(found: list[Distribution]) -> None:
    said = keys(whole(encode(found))).values()
    counts = [sum(bucket["count"] for bucket in each) for each in said]
    assert counts == [each.count for each in found]


@given(SAMPLES)
def test_a_sample_is_between_the_bounds_of_one_bucket(samples: list[int]) -> None:
    for coarse in (False, True):
        (said,) = keys(whole(encode([of(samples, coarse=coarse)]))).values()
        for bucket in said:
            inside = sum(bucket["min"] <= ns <= bucket["max"] for ns in samples)
            assert bucket["count"] == inside
        assert said[0]["count"]
        assert said[-1]["count"]


def test_names_that_look_the_same_stay_apart() -> None:
    same = [of([5], vm="a"), of([5, 6], vm="a")]
    assert len(keys(whole(encode(same)))) == 2


def shape(value: Any) -> Any:
    """Return the types and the names of fields, without the keys of maps."""
    if isinstance(value, list):
        return [shape(value[0])]
    if isinstance(value, dict) and "min" not in value and "type" not in value:
        return [shape(next(iter(value.values())))]
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return type(value)


def test_bpftrace_itself_prints_that_shape(needs_root: None) -> None:
    if not shutil.which("bpftrace"):
        lacking("bpf", "bpftrace is not installed (Debian: bpftrace)")
    done = subprocess.run(
        ["bpftrace", "-f", "json", "-e", PROGRAM], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if '"hist"' in line]
    if not lines:
        lacking("bpf", f"bpftrace does not run here: {done.stderr[:200]}")
    assert shape(json.loads(lines[0])) == shape(json.loads(whole(encode([of([5])]))))
