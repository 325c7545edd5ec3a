"""`python -m tests.bench [TABLE...]`: measure, and print the tables."""

import argparse
from collections.abc import Callable

from rich.console import Console

from tests.bench import (
    fleet,
    instructions,
    kernels,
    memory,
    reading,
    recordings,
    scraping,
    screen,
    startup,
    throughput,
    top,
    usage,
    views,
)
from tests.bench.report import Report, machine_line, show

TABLES: dict[str, Callable[[], Report]] = {
    "instructions": instructions.report,
    "kernels": kernels.report,
    "kernels-vmx": kernels.vmx_report,
    "views": views.report,
    "throughput": throughput.report,
    "reading": reading.report,
    "top": top.report,
    "screen": screen.report,
    "recordings": recordings.report,
    "usage": usage.report,
    "scrape": scraping.report,
    "fleet": fleet.report,
    "fleet-queries": fleet.query_report,
    "start": startup.report,
    "memory": memory.report,
}


def main() -> None:
    """Print the tables asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("table", nargs="*", choices=[[], *TABLES], help="which; all if none")
    console = Console(width=160, highlight=False)
    for name in parser.parse_args().table or TABLES:
        show(TABLES[name](), console)
        console.print(f"- {machine_line()}", soft_wrap=True)


if __name__ == "__main__":
    main()
