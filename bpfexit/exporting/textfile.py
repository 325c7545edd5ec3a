"""A file for the textfile collector of node_exporter."""

from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.run.session import tell

SUFFIX = ".prom"


class TextFile:
    """Written whole, beside its place, and then moved there: a reader never sees a part.

    It goes when bpfexit ends, since node_exporter would report its numbers for ever.
    """

    def __init__(self, path: Path) -> None:
        """Check the name. Raises `UsageError` for one that node_exporter would not read."""
        if path.suffix != SUFFIX:
            raise UsageError(f"{path} must end in {SUFFIX}: node_exporter reads no other files")
        self._path = path
        self._written = False
        self._failure = ""

    def write(self, registry: CollectorRegistry) -> None:
        """Replace the file. Raises `BpfexitError` where that fails the first time.

        Later failures, of a disk that is full, are reported once, and the exporter goes on.
        """
        try:
            write_to_textfile(str(self._path), registry)
        except OSError as error:
            self._fail(f"cannot write {self._path}: {error.strerror}")
        else:
            self._written, self._failure = True, ""

    def _fail(self, failure: str) -> None:
        if not self._written:
            raise BpfexitError(f"{failure}; --textfile names the file")
        if failure != self._failure:
            tell(f"{failure}; it is tried again at each reading")
        self._failure = failure

    def close(self) -> None:
        """Take the file away, if it is there."""
        with suppress(OSError):
            self._path.unlink()
