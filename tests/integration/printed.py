"""What a command prints, on a terminal that is wide enough."""

import os
import subprocess

from tests.counting import BPFEXIT


def run(*arguments: str) -> str:
    """Return what a command prints; wide enough that no name is cut."""
    done = subprocess.run(
        [*BPFEXIT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "300"},
    )
    assert done.returncode == 0, done.stderr
    assert_harmless(done.stderr)
    return done.stdout


def assert_harmless(text: str) -> None:
    assert {each for each in text if not each.isprintable()} <= {"\n"}
