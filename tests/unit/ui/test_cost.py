"""The line and the table say what was measured, and what to do when nothing was."""

import io
import time
from dataclasses import replace

import pytest
from rich.console import Console

from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.ui.cost import cost_line, overhead_table
from bpfexit.ui.header import header_lines
from tests.unit.builders import Exits, snapshot

EXITS = ProgramsCost(
    0.0,
    0.5,
    1000,
    (ProgramRuns("kvm_entry", 1000, 150_000), ProgramRuns("kvm_exit", 1000, 262_000)),
)
SILENT = replace(EXITS, exits=0, programs=(ProgramRuns("kvm_exit", 0, 0),))
SVM = Origin("host", "6.18.0", "kvm_amd", has_exit_events=True)
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)
HALF_A_CORE = OwnCost(1.0, 2.0)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)


@pytest.mark.parametrize(
    ("programs", "origin", "text"),
    [
        (EXITS, SVM, "programs 412ns/exit, 0.08% of a core (00:00:00); bpfexit 50.0% of a core"),
        (EXITS, PVM, "programs 412ns/access, 0.08% of a core (00:00:00); bpfexit 50.0% of a core"),
        (SILENT, SVM, "programs saw no exit in 0.50 s (00:00:00); bpfexit 50.0% of a core"),
        (None, SVM, "programs not measured; bpfexit 50.0% of a core"),
    ],
)
def test_the_line(programs: ProgramsCost | None, origin: Origin, text: str) -> None:
    assert cost_line(replace(HALF_A_CORE, programs=programs), origin) == f"cost: {text}"


def rendered(of: Snapshot, programs: ProgramsCost) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(overhead_table(of, programs))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_a_line_for_each_program_and_the_totals() -> None:
    of = snapshot(Exits("io", (300_000,)), guest_ns=112_000, cost=HALF_A_CORE)
    head, entry, leave, totals, process = rendered(of, EXITS).splitlines()
    assert head.split() == ["program", "runs", "mean", "core%"]
    assert entry.split() == ["kvm_entry", "1,000", "150ns", "0.03"]
    assert leave.split() == ["kvm_exit", "1,000", "262ns", "0.05"]
    assert totals.rstrip() == (
        "per exit, of 1,000 in 0.50 s: 2.00 runs, 412ns; 0.08% of a core, "
        "100.0% of the vCPUs' time, HLT excluded"
    )
    assert process.rstrip() == (
        "bpfexit itself, reading the counts once: 1.00s of CPU, 50.0% of a core"
    )


def test_where_the_vcpus_time_is_not_known_no_share_of_it_is_said() -> None:
    assert "vCPUs" not in rendered(snapshot(origin=PVM, cost=HALF_A_CORE), EXITS)


def test_without_a_guest_it_says_what_to_do() -> None:
    text = rendered(snapshot(cost=HALF_A_CORE), SILENT)
    assert "no exit in 0.50 s: start a guest, for example `bpfexit testguest`" in text


@pytest.mark.parametrize(
    ("cost", "with_cost", "there"),
    [
        (OwnCost(), True, False),
        (HALF_A_CORE, False, False),
        (HALF_A_CORE, True, True),
        (replace(HALF_A_CORE, programs=EXITS), False, True),
    ],
)
def test_a_header_has_it_when_measured_or_asked_for(
    cost: OwnCost, with_cost: bool, there: bool
) -> None:
    lines = header_lines(snapshot(cost=cost), with_cost=with_cost)
    assert any(line.plain.startswith("cost: ") for line in lines) is there
