"""The cost of bpfexit itself: a line for headers, a table for `bpfexit doctor --overhead`."""

import time

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.own_cost import OwnCost, ProgramsCost
from bpfexit.model.snapshot import Origin, Snapshot, times


def cost_line(cost: OwnCost, origin: Origin) -> str:
    """Return the cost of the programs, if measured, and of the process."""
    programs = _programs(cost.programs, _unit(origin)) if cost.programs else "not measured"
    return f"cost: programs {programs}; bpfexit {numbers.small_share(cost.core_share)}% of a core"


def _programs(cost: ProgramsCost, unit: str) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(cost.start))
    if not cost.exits:
        return f"saw no {unit} in {cost.duration_s:.2f} s ({clock})"
    core = numbers.small_share(cost.core_share)
    return f"{numbers.duration(cost.ns_per_exit)}/{unit}, {core}% of a core ({clock})"


def overhead_table(snapshot: Snapshot, cost: ProgramsCost) -> RenderableType:
    """Return a line per program, and the totals of the programs and the process."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="reverse")
    grid.add_column("program")
    for heading in ("runs", "mean", "core%"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for program in cost.programs:
        grid.add_row(
            Text(program.event),
            numbers.count(program.runs),
            numbers.duration(program.mean),
            numbers.small_share(cost.core_share_of(program.ns)),
        )
    return Group(grid, *map(Text, _totals(snapshot, cost)))


def _totals(snapshot: Snapshot, cost: ProgramsCost) -> tuple[str, str]:
    own = snapshot.cost
    read_once = numbers.duration(own.cpu_s * 1e9)
    return (
        _of_exits(snapshot, cost) if cost.exits else _of_none(snapshot, cost),
        f"bpfexit itself, reading the counts once: {read_once} of CPU, "
        f"{numbers.small_share(own.core_share)}% of a core",
    )


def _of_exits(snapshot: Snapshot, cost: ProgramsCost) -> str:
    unit = _unit(snapshot.origin)
    of_vcpus = numbers.small_share(cost.share_of(times(snapshot).busy))
    return (
        f"per {unit}, of {numbers.count(cost.exits)} in {cost.duration_s:.2f} s: "
        f"{cost.runs_per_exit:.2f} runs, {numbers.duration(cost.ns_per_exit)}; "
        f"{numbers.small_share(cost.core_share)}% of a core"
        + (f", {of_vcpus}% of the vCPUs' time, HLT excluded" if of_vcpus else "")
    )


def _of_none(snapshot: Snapshot, cost: ProgramsCost) -> str:
    return (
        f"no {_unit(snapshot.origin)} in {cost.duration_s:.2f} s: start a guest, for example "
        "`bpfexit testguest` in another terminal, and measure again"
    )


def _unit(origin: Origin) -> str:
    return "exit" if origin.has_exit_events else "access"
