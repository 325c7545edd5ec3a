"""A recording says which views it lacks."""

from dataclasses import replace
from pathlib import Path

import pytest

from bpfexit.events.cpuid import CPUID
from bpfexit.events.kind import Kind
from bpfexit.events.pio import PIO
from bpfexit.events.rip import RIP
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.recording.total import total
from tests.unit.builders import Exits, pio, snapshot


def viewed(*views: str, kind: Kind = PIO) -> Snapshot:
    of = snapshot(Exits("CPUID", (70,), kind=kind), pio(0x70, ns=(300,)))
    return replace(of, origin=replace(of.origin, views=views))


def notes(folder: Path, of: Snapshot, *kinds: Kind) -> list[str]:
    path = folder / "run.jsonl"
    path.write_text(snapshot_json.encode(of) + "\n")
    return [*total(path, Filter(kinds=kinds)).notes]


def test_a_view_that_was_not_recorded_is_named(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, viewed("rip"), RIP, CPUID, PIO)
    assert note.endswith("has no view by cpuid: record it with `bpfexit record --by cpuid`")


@pytest.mark.parametrize("of", [viewed("cpuid"), viewed(kind=CPUID)])
def test_a_view_that_was_recorded_is_not(tmp_path: Path, of: Snapshot) -> None:
    assert notes(tmp_path, of, CPUID) == []


def test_a_sum_has_the_views_of_all_its_parts() -> None:
    assert merged([viewed("rip", "halt"), viewed("halt")]).origin.views == ("halt",)
