"""A log: lines that are appended to a file, which log rotation may move away."""

import os
from collections.abc import Iterable
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.recording.output_file import OutputFile, open_output


class LogFile:
    """Appends lines to a file, below a heading if the file is empty."""

    def __init__(self, path: Path, heading: str = "") -> None:
        """Open the file, or create it. Raises `BpfexitError`."""
        self._path = path
        self._heading = heading
        self._output = self._open()

    def write(self, lines: Iterable[str]) -> None:
        """Append lines, which end in a newline, at once. Raises `BpfexitError`."""
        data = memoryview("".join(lines).encode())
        try:
            while data:
                data = data[os.write(self._output.fd, data) :]
        except OSError as error:
            raise BpfexitError(f"cannot write {self._path}: {error.strerror}") from None

    def reopen(self) -> None:
        """Open the path again, from which log rotation has moved the file."""
        self.close()
        self._output = self._open()

    def close(self) -> None:
        """Close the file."""
        self._output.close()

    def _open(self) -> OutputFile:
        output = self._output = open_output(self._path, append=True)
        if self._heading and not os.fstat(output.fd).st_size:
            self.write([self._heading])
        return output
