"""A Prometheus of its own that scrapes many hosts: what it has, takes and answers."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from bpfexit.exporting.package_data import package_data
from tests.bench.memory import kib

MOST_MEMORY_KIB = 12 << 20
ENOUGH_S = 300.0
_CONFIG = """\
global: {{scrape_interval: {every_s}s, scrape_timeout: {every_s}s, evaluation_interval: {every_s}s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: bpfexit
    static_configs: [{{targets: {targets}}}]
"""


@dataclass(frozen=True)
class Hosts:
    """Hosts of so many guests each, scraped every `every_s` until `scrapes` pages are read."""

    number: int
    guests: int
    scrapes: int
    every_s: int = 60

    def addresses(self) -> Iterator[str]:
        """Yield an address of loopback for each."""
        return (f"127.1.{index >> 8}.{index & 255}" for index in range(self.number))


class Server:
    """A running Prometheus."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, folder: Path) -> None:
        self._process, self._url, self._folder = process, url, folder

    def evaluate_rules(self) -> None:
        """Evaluate the rules of the package from now on."""
        config = self._folder / "prometheus.yml"
        config.write_text(config.read_text().replace("[]", "[bpfexit.rules.yml]", 1))
        self._process.send_signal(signal.SIGHUP)

    def query(self, expression: str, start: float, end: float, step: int = 60) -> int:
        """Return how many series an expression gives from a Unix time to another."""
        over = {"start": start, "end": end, "step": step}
        return len(self._get("query_range", query=expression, **over)["result"])

    def number(self, expression: str) -> float:
        """Return the value of the only series an expression gives."""
        ((_, value),) = (each["value"] for each in self._get("query", query=expression)["result"])
        return float(value)

    def recorded(self) -> dict[str, str]:
        """Return the expressions of the recording rules by their names."""
        rules = (rule for group in self._get("rules")["groups"] for rule in group["rules"])
        return {rule["name"]: rule["query"] for rule in rules if rule["type"] == "recording"}

    def series(self) -> int:
        """Return how many series are in memory."""
        return int(self._get("status/tsdb")["headStats"]["numSeries"])

    def snapshot(self) -> Path:
        """Write all that is in memory as a block; return its folder."""
        name = str(self._data("admin/tsdb/snapshot", b"")["name"])
        (block,) = (self._folder / "data/snapshots" / name).iterdir()
        return block

    def memory_mib(self, name: str = "VmRSS") -> float:
        """Return its resident memory, or with `VmHWM` the most it ever had."""
        return kib(Path(f"/proc/{self._process.pid}/status").read_text(), name) / 1024

    def cpu_s(self) -> float:
        """Return the CPU time that its threads have taken."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return self._data(f"{path}?{urlencode(parameters)}")

    def _data(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with urlopen(f"{self._url}/api/v1/{path}", body, ENOUGH_S) as answer:  # noqa: S310
            data = json.load(answer)["data"]
        assert isinstance(data, dict)
        return data


@contextmanager
def scraping(hosts: Hosts) -> Iterator[tuple[Server, Callable[[], object]]]:
    """Run hosts in one process and Prometheus in another; yield that, and what ends the hosts."""
    with (
        TemporaryDirectory() as name,
        _served(hosts) as (port, end),
        _prometheus(Path(name), [f"{each}:{port}" for each in hosts.addresses()], hosts) as server,
    ):
        yield server, end


@contextmanager
def _served(hosts: Hosts) -> Iterator[tuple[int, Callable[[], object]]]:
    module = "tests.bench.exporter_pages"
    about = map(str, (hosts.guests, hosts.scrapes, hosts.every_s))
    command = [sys.executable, "-m", module, *about]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline()), process.terminate
        process.communicate()


@contextmanager
def _prometheus(folder: Path, targets: Sequence[str], hosts: Hosts) -> Iterator[Server]:
    (folder / "bpfexit.rules.yml").write_text(package_data("rules"))
    config = folder / "prometheus.yml"
    about = {"targets": json.dumps(targets), "every_s": hosts.every_s, "rules": ""}
    config.write_text(_CONFIG.format(**about))
    address = f"127.0.0.1:{_free_port()}"
    command = [
        *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address={address}", "--web.enable-admin-api", "--log.level=error"),
    ]
    with subprocess.Popen(command) as process:
        server = Server(process, f"http://{address}", folder)
        guard = threading.Thread(target=_bound_memory, args=(process, server))
        guard.start()
        try:
            _until_listening(server)
            yield server
        finally:
            process.terminate()
            guard.join()


def _bound_memory(process: "subprocess.Popen[bytes]", server: Server) -> None:
    """End it when it takes too much memory."""
    while process.poll() is None:
        try:
            if server.memory_mib() * 1024 > MOST_MEMORY_KIB:
                process.send_signal(signal.SIGKILL)
        except OSError:  # it ended
            return
        time.sleep(0.5)


def _until_listening(server: Server) -> None:
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        try:
            server.number("vector(1)")
        except URLError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("Prometheus does not listen")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


_SELECTOR = re.compile(r"((?:\w+:)?\bbpfexit_\w+(?::\w+)?)(\{[^}]*\})?")
_RECORDED = re.compile(r"(\w+:bpfexit_\w+:\w+)(?:\{([^}]*)\})?")


def without_rules(expression: str, recorded: dict[str, str]) -> str:
    """Return an expression with what rules record in place of the recorded series.

    `recorded` has the expressions of the rules by the names of their series.
    """

    def computed(found: "re.Match[str]") -> str:
        return f"({_matching(recorded[found[1]].strip(), found[2] or '')})"

    while any(each[1] in recorded for each in _RECORDED.finditer(expression)):
        expression = _RECORDED.sub(computed, expression)
    return expression


def _matching(expression: str, matchers: str) -> str:
    """Add matchers to each selector of an expression."""
    if not matchers:
        return expression

    def added(found: "re.Match[str]") -> str:
        others = (found[2] or "{}")[1:-1]
        return f"{found[1]}{{{','.join(filter(None, (others, matchers)))}}}"

    return _SELECTOR.sub(added, expression)
