"""A live exporter, and what it says over HTTP."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.counting import BPFEXIT, started
from tests.waiting import ENOUGH_S


@contextmanager
def exporter(
    *arguments: str, under: Sequence[str] = (), program: Sequence[str] = BPFEXIT
) -> Iterator[str]:
    """Run `bpfexit export` on a free port; yield its URL when it is counting.

    Its end by Ctrl-C must be clean. `under` is a command that starts it, `program` what it is.
    """
    command = [*under, *program, "export", "--listen", "0", "-i", "0.2", *arguments]
    with started(command, stderr=subprocess.PIPE) as process:
        try:
            yield _url(process)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=ENOUGH_S)
            assert process.returncode == 0, said
        finally:
            process.kill()


def scraped(url: str) -> str:
    """Return the text of a scrape."""
    with urlopen(url, timeout=ENOUGH_S) as answer:  # noqa: S310
        return str(answer.read().decode())


def total(text: str, name: str, **labels: str) -> float:
    """Return the sum of the series of a name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    said = []
    for line in process.stderr:
        said.append(line)
        if "serving metrics at " in line:
            return line.split()[-1]
    raise AssertionError(f"the exporter ended: {said}")
