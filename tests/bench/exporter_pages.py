"""Pages as exporters of many hosts serve them, from one process.

`python -m tests.bench.exporter_pages GUESTS PAGES SECONDS` prints the port it listens on. Every
loopback address is a host: its guests have names of their own, and the page is that of the minute.
"""

import gzip
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from numpy.typing import NDArray
from prometheus_client import generate_latest

from bpfexit.exporting.accumulator import Accumulator
from bpfexit.exporting.collector import registry_of
from bpfexit.model.histograms import Histograms
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.vcpu_parts import PARTS
from tests.unit.exporting.crowd import crowd

INTERVAL_S = 60.0
_NAME = b"guest-"
_MEAN_TIMES = 400
"""How often the exits of the crowd happen in an interval."""


def pages(guests: int, number: int) -> Iterator[bytes]:
    """Yield what an exporter of busy guests serves, an interval from one to the next."""
    rng = np.random.default_rng(guests)
    accumulator = Accumulator(lambda guest: (str(guest.pid), "", "", "", "", guest.vmm))
    registry = registry_of(accumulator.families)
    quiet = crowd(guests)
    mean = rng.lognormal(np.log(_MEAN_TIMES), 1.5, len(quiet.rows.fields))
    for minute in range(number):
        accumulator.add(_busy(quiet, rng.poisson(mean), rng), minute * INTERVAL_S)
        yield generate_latest(registry)


def series_of(page: bytes) -> int:
    """Return how many series a page has."""
    return sum(not line.startswith(b"#") for line in page.splitlines())


def _busy(quiet: Snapshot, times: NDArray[np.int64], rng: np.random.Generator) -> Snapshot:
    """Return an interval in which the exits of each row happened so many times."""
    fields, hist = quiet.rows.fields.copy(), quiet.rows.hist
    for name in ("count", "timed", "user_count"):
        fields[name] = fields[name] * times
    longer = rng.lognormal(0, 0.2, len(fields))  # no two exits take the same time
    for name in ("total_ns", "user_ns", "wait_ns"):
        fields[name] = fields[name] * times * longer
    counts = hist.count * times[hist.row]
    used = counts > 0
    vcpus = quiet.vcpus.copy()
    for name in PARTS:
        vcpus[name] = vcpus[name] * rng.lognormal(6, 1, len(vcpus))
    rows = Rows(fields, Histograms(hist.n, hist.row[used], hist.bucket[used], counts[used]))
    return replace(quiet, rows=rows, vcpus=vcpus, duration_s=INTERVAL_S)


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        """Serve the page of the time, with the host's own names of guests."""
        host = self.connection.getsockname()[0].replace(".", "-").encode()
        body = gzip.compress(self.server.page().replace(_NAME, host + b"-"), 6)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024

    def __init__(self, recorded: list[bytes], every_s: float) -> None:
        self._recorded, self._every_s = recorded, every_s
        self._begun = time.monotonic()
        super().__init__(("0.0.0.0", 0), _Handler)  # noqa: S104 - all of 127.0.0.0/8

    def page(self) -> bytes:
        """Return the page of the time; the last one stays."""
        passed = int((time.monotonic() - self._begun) / self._every_s)
        return self._recorded[min(passed, len(self._recorded) - 1)]


def main() -> None:
    """Record, print the port, serve until stdin ends."""
    guests, number, every_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    server = _Server(list(pages(guests, number)), every_s)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
