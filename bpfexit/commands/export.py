"""`bpfexit export`."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from bpfexit.commands.options import config_option, memory_map_options, thread_options
from bpfexit.commands.values import INTERVAL, listen_address
from bpfexit.errors import UsageError
from bpfexit.exporting.address import DEFAULT_ADDRESS, Address
from bpfexit.exporting.detail import MOST_ADDRESSES, Detail
from bpfexit.exporting.exporter import Exporter
from bpfexit.exporting.guest_info import guest_info
from bpfexit.exporting.package_data import package_data
from bpfexit.exporting.rights import give_up_rights
from bpfexit.exporting.server import Listener
from bpfexit.exporting.textfile import TextFile
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.filter import Filter
from bpfexit.run.loop import Run
from bpfexit.run.session import live_source, max_rows_option, tell
from bpfexit.run.signals import Interrupts

EPILOG = f"""\b
Examples:
  bpfexit export                           at http://{DEFAULT_ADDRESS}/metrics
  bpfexit export --listen '[::1]:25863'    on another address
  bpfexit export --textfile /var/lib/prometheus/node-exporter/bpfexit.prom
                                           through node_exporter
  bpfexit export --config /etc/bpfexit/export.toml
                                           with options from a file
  bpfexit export --print-rules > /etc/prometheus/bpfexit.rules.yml
"""


def _printing(name: str, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add --print-NAME, which prints a file of the package and ends."""

    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        del param
        if value:
            click.echo(package_data(name), nl=False)
            ctx.exit()

    return click.option(
        f"--print-{name}",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help=f"Print {what}, and exit.",
    )


@click.command(epilog=EPILOG)
@click.option(
    "--listen",
    metavar="[HOST:]PORT",
    callback=listen_address,
    help=f"Serve metrics over HTTP at this address [{DEFAULT_ADDRESS}].",
)
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write metrics to a file for node_exporter's textfile collector instead.",
)
@click.option(
    "-i",
    "--interval",
    type=INTERVAL,
    default=5.0,
    help="Read the counters every SECONDS, scraped or not [5].",
)
@click.option(
    "--address-series",
    type=click.IntRange(0, 10_000),
    default=MOST_ADDRESSES,
    show_default=True,
    metavar="N",
    help="Export at most N addresses per guest; the rest are `other`.",
)
@click.option(
    "--vcpu-series",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    metavar="N",
    help="Export the time of at most N vCPUs per guest singly; the rest are `other`.",
)
@click.option("--fine-buckets", is_flag=True, help="Export histograms with all powers of two.")
@_printing("rules", "recording and alerting rules for Prometheus")
@_printing("dashboard", "a dashboard for Grafana")
@_printing("unit", "a systemd unit")
@thread_options
@memory_map_options
@max_rows_option
@config_option
def export(
    listen: Address | None,
    textfile: Path | None,
    interval: float,
    address_series: int,
    vcpu_series: int,
    fine_buckets: bool,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    maps: MapSources,
    max_rows: int,
) -> None:
    """Export metrics of all guests for Prometheus, until Ctrl-C or SIGTERM.

    Counters are read every -i seconds, whether or not Prometheus asks for them.
    docs/fleet.md explains the metrics.
    """
    if listen and textfile:
        raise UsageError("--listen and --textfile exclude each other")
    exporter = Exporter(guest_info, Detail(address_series, vcpu_series, fine_buckets))
    wanted, run = Filter(pids, vcpus, tids=tids, guests=names), Run(interval)
    attached = partial(give_up_rights, files_of_others=bool(textfile or maps))
    with Interrupts() as interrupts:
        if textfile:
            with (
                closing(TextFile(textfile)) as file,
                closing(live_source(wanted, max_rows, maps=maps, attached=attached)) as source,
            ):
                tell(f"writing metrics to {textfile}")
                exporter.run(source, run, interrupts, lambda: file.write(exporter.registry))
            return
        with (
            closing(Listener(listen or DEFAULT_ADDRESS)) as listener,
            closing(live_source(wanted, max_rows, maps=maps, attached=attached)) as source,
            listener.serving(exporter.registry),
        ):
            tell(f"serving metrics at http://{listener.address}/metrics")
            exporter.run(source, run, interrupts)
