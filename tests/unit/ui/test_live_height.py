"""The live screen is never higher than the terminal, whatever its header holds."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.snapshot import Origin
from bpfexit.model.view import Query
from bpfexit.recording.reader import RecordingSource
from bpfexit.run.loop import Run
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.state import first_state
from tests.unit.builders import pio, snapshot

DEMO = Path(__file__).parents[3] / "bpfexit" / "data" / "svm-demo.jsonl.gz"
HEIGHT = 24
PVM = Origin("host", "6.18.0", "kvm_pvm", emits_exits=False)


@pytest.mark.parametrize("notices", [(), ("--qmp q: no answer",) * 9])
@pytest.mark.parametrize("guests", [(), (Guest(99, "gone", ended=True),)])
def test_it_fits(notices: tuple[str, ...], guests: tuple[Guest, ...]) -> None:
    console = Console(file=io.StringIO(), width=100, height=HEIGHT, color_system=None)
    query = Query(("port",))
    state = first_state(query, 1.0, emits_exits=True, replay=False)
    screen = LiveScreen(RecordingSource(DEMO, Filter()), Run(1.0), state, console)
    many = snapshot(*(pio(port) for port in range(100)), origin=PVM)
    cost = OwnCost(cpu_s=0.1, over_s=1.0)
    screen.snapshot = replace(many, notices=notices, guests=guests, cost=cost)
    console.print(screen.render())
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == HEIGHT
    assert any(line.startswith("--qmp q") for line in lines) == bool(notices)
