"""Live view of the VM exits of KVM guests, aggregated in the kernel.

For other programs: `open_recording` reads the files of `bpfexit record` and `top -j`.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from bpfexit.version import __version__ as __version__

if TYPE_CHECKING:
    from bpfexit.recording.opened import Recording


def open_recording(path: str | PathLike[str]) -> Recording:
    """Open a recording: iterate over it for its snapshots, whose rows are numpy arrays.

    Raises `bpfexit.errors.BpfexitError` for a file that is not a recording.
    """
    # Every module imports this one first, so what it needs can only be imported here.
    from bpfexit.recording.opened import Recording  # noqa: PLC0415

    return Recording(Path(path))
