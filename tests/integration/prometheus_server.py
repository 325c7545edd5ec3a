"""A real Prometheus on loopback, which scrapes some exporters every few seconds."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from bpfexit.exporting.package_data import package_data
from tests.waiting import ENOUGH_S

CONFIG = """\
global: {{scrape_interval: {every_s}s, evaluation_interval: {every_s}s}}
rule_files: [bpfexit.rules.yml]
scrape_configs:
  - job_name: bpfexit
    static_configs: [{{targets: {targets}}}]
"""


class Prometheus(NamedTuple):
    """Answers queries."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an instant query gives now."""
        query = urlencode({"query": expression})
        with urlopen(f"{self.url}/api/v1/query?{query}", timeout=ENOUGH_S) as answer:  # noqa: S310
            found = json.load(answer)["data"]["result"]
        assert isinstance(found, list)
        return found

    def values(self, expression: str) -> list[float]:
        """Return the values alone."""
        return [float(each["value"][1]) for each in self.query(expression)]


@contextmanager
def scraping(
    program: str, urls: Sequence[str], folder: Path, every_s: int = 1
) -> Iterator[Prometheus]:
    """Run Prometheus with the rules of the package, until it has scraped each exporter.

    A scrape takes `every_s` at most.
    """
    (folder / "bpfexit.rules.yml").write_text(package_data("rules"))
    targets = json.dumps([urlsplit(url).netloc for url in urls])
    (folder / "prometheus.yml").write_text(CONFIG.format(targets=targets, every_s=every_s))
    address = f"127.0.0.1:{_free_port()}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            server = Prometheus(f"http://{address}")
            _until_up(server, len(urls))
            yield server
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _until_up(server: Prometheus, number: int) -> None:
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        try:
            if server.values("sum(up)") == [number]:
                return
        except URLError:  # it does not listen yet
            pass
        time.sleep(0.2)
    raise AssertionError("Prometheus does not scrape")
