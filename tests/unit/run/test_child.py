"""A command is started only while bpfexit goes on."""

import os
import signal
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.run.child import Child
from bpfexit.run.signals import Interrupts


def test_a_command_is_not_started_after_a_signal(tmp_path: Path) -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(BpfexitError, match="touch is not started"):
            Child(["touch", str(tmp_path / "file")], interrupts, print)
    assert list(tmp_path.iterdir()) == []
