"""The examples of the README print what it says, as far as they read the demo's recording."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*)\n", re.MULTILINE)
_TOOLS = {"jq": "jq", "datamash": "datamash", "promtool": "prometheus"}


def examples() -> list[tuple[Path, str, str]]:
    """Return folder, command and output of each, in blocks about nothing but that recording."""
    found = []
    for block in _BLOCK.findall((CHECKOUT / "README.md").read_text()):
        folder = CHECKOUT
        for command, output in _steps(block):
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
            elif "svm-demo" in command:
                found.append((folder, command, output))
    return found


def _steps(block: str) -> list[tuple[str, str]]:
    places = [*_COMMAND.finditer(block), None]
    return [
        (step[1], block[step.end() : after.start() if after else None])
        for step, after in pairwise(places)
        if step
    ]


def test_there_are_some() -> None:
    assert len(examples()) >= 8


@pytest.mark.parametrize(("folder", "command", "output"), examples())
def test_an_example_prints_what_the_readme_says(folder: Path, command: str, output: str) -> None:
    for tool, package in _TOOLS.items():
        if re.search(rf"\| {tool}\b", command) and not shutil.which(tool):
            pytest.skip(f"{tool} is not installed (Debian: {package})")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == output
