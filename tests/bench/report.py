"""A table of measurements, printed as Markdown, with what stands behind it."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Report:
    """`title` says what is measured and its unit, `notes` how: commands, versions, conditions."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def show(report: Report, console: Console) -> None:
    """Print a report; all columns but the first are numbers, or short."""
    table = Table(box=MARKDOWN)
    for at, heading in enumerate(report.columns):
        table.add_column(heading, justify="right" if at else "left", no_wrap=True)
    for row in report.rows:
        table.add_row(*map(Text, row))
    console.print(Text(f"\n## {report.title}\n"), table, "", sep="\n")
    for note in report.notes:
        console.print(Text(f"- {note}"), soft_wrap=True)


def machine_line() -> str:
    """Return date, CPU, cores, kernel and how busy this machine is."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}, {_cpu()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f}"
    )


def share_lost(exits: int, seen: int) -> str:
    """Return the share of the exits that a tracer did not tell of; there may be more than known."""
    return "none" if seen >= exits else f"{1 - seen / exits:.2%}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
