"""Snapshots, and what of them is shown."""

import io

from rich.console import Console, RenderableType

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import Query, view
from bpfexit.names.reasons import Isa
from bpfexit.ui.tables import table
from tests.unit.builders import Exits, pio, snapshot

WIDTHS = (80, 120)


PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


EVIL = "[bold]\x1b[2J[/x]\n\r\u202e:smile:"


LEGENDS = ('"?": ', "named by ")


HARMLESS = "[bold]\\x1b[2J[/x]\\n\\r\\u202e:smile:"


def host() -> Snapshot:
    return snapshot(
        Exits("HLT", (10**9,)),
        pio(0x70, ns=(3000, 5000), user_ns=(2000,), wait_ns=1600, user_wait_ns=600),
        Exits("EPT_MISCONFIG", (9000,), kind=MMIO, access=Access.WRITE, address=0xFEE000B0),
        Exits("MSR_WRITE", (700,), kind=MSR, access=Access.WRITE, address=0xC0000080),
        guest_ns=10**9,
    )


def pvm() -> Snapshot:
    row = pio(0x608, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(2500,))
    return snapshot(row, origin=PVM)


def rendered(what: RenderableType, width: int = 120) -> list[str]:
    """Print as into a pipe; console markup is on, so that only `Text` withstands it."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def shown(of: Snapshot, query: Query, width: int = 120) -> list[str]:
    """Return the lines of the table, without the last one if that says who gave the names."""
    lines = rendered(table(view(of, query), width), width)
    return lines[:-1] if lines[-1].startswith(LEGENDS) else lines
