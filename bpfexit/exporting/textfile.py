"""A file for the textfile collector of node_exporter."""

from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.run.session import tell

SUFFIX = ".prom"


class TextFile:
    """A file that is written next to its path and then moved there: readers never see a part.

    It is removed when bpfexit ends, because node_exporter would continue to report it.
    """

    def __init__(self, path: Path) -> None:
        """Check the name. Raises `UsageError` for one that node_exporter would not read."""
        if path.suffix != SUFFIX:
            raise UsageError(f"{path} must end in {SUFFIX}: node_exporter reads no other files")
        self._path = path
        self._written = False
        self._failure = ""

    def write(self, registry: CollectorRegistry) -> None:
        """Replace the file. Raises `BpfexitError` if that fails the first time.

        Later failures, such as a full disk, are reported once, and the exporter continues.
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
        """Remove the file, if it exists."""
        with suppress(OSError):
            self._path.unlink()
