"""The live screen is never higher than the terminal, whatever its header holds."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from bpfexit.model.guest import Guest
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.snapshot import Origin
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.state import first_state
from tests.unit.builders import pio, snapshot

HEIGHT = 24
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


@pytest.mark.parametrize("notices", [(), ("--qmp q: no answer",) * 9])
@pytest.mark.parametrize("guests", [(), (Guest(99, "gone", ended=True),)])
def test_it_fits(notices: tuple[str, ...], guests: tuple[Guest, ...]) -> None:
    console = Console(file=io.StringIO(), width=100, height=HEIGHT, color_system=None)
    query = Query(("port",))
    state = first_state(query, 1.0, has_exit_events=True, replay=False)
    screen = LiveScreen(state, console, SnapshotSum)
    many = snapshot(*(pio(port) for port in range(100)), origin=PVM)
    cost = OwnCost(cpu_s=0.1, over_s=1.0)
    screen.snapshot = replace(many, notices=notices, guests=guests, cost=cost)
    console.print(screen.render())
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == HEIGHT
    assert any(line.startswith("--qmp q") for line in lines) == bool(notices)
