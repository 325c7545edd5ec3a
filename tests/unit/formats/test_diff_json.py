"""A comparison as JSON lines: strict JSON, and the numbers of the model."""

import json
from typing import Any

from hypothesis import given

from bpfexit.formats.json.diff import SCHEMA, encode
from bpfexit.model.diff import compare
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import DIMENSIONS, Query
from tests.unit.builders import Exits, pio, snapshot, snapshots


def documents(before: Snapshot, after: Snapshot, query: Query) -> list[dict[str, Any]]:
    return [json.loads(line) for line in encode(compare(before, after, query))]


def test_the_first_line_is_on_the_whole_and_the_others_one_each() -> None:
    before = snapshot(pio(0x608, ns=(4000,) * 40), Exits("HLT", (10,)), duration_s=2.0)
    after = snapshot(pio(0x608, ns=(1000,) * 40))
    whole, group, address, idle = documents(before, after, Query())
    assert {each["schema"] for each in (whole, group, address, idle)} == {SCHEMA}
    assert (whole["about"], whole["time"], whole["same"]) == ("all", "exits", False)
    assert (whole["before"]["time_ns_per_s"], whole["saved_ns_per_s"]) == (80_000, 40_000)
    assert (group["about"], group["reason"], group["address"]) == ("group", "IO_INSTRUCTION", None)
    assert (address["about"], address["reason"]) == ("address", "IO_INSTRUCTION")
    assert (address["kind"], address["access"], address["address"]) == ("pio", "read", 0x608)
    assert (address["rate_ratio"], address["mean_ratio"]) == (2, 0.25)
    assert address["latency"]["verdict"] == "faster"
    assert (idle["status"], idle["saved_ns_per_s"]) == ("vanished", None)


@given(snapshots(), snapshots())
def test_it_is_strict_json(before: Snapshot, after: Snapshot) -> None:
    whole, *lines = documents(before, after, Query(DIMENSIONS))
    assert whole["lines"] == len(lines)
