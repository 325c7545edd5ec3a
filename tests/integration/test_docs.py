"""README and docs: examples print what stands there, links lead somewhere, options exist."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import click
import pytest

from bpfexit.cli import cli

CHECKOUT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*)\n", re.MULTILINE)
_TOOLS = {"jq": "jq", "datamash": "datamash", "promtool": "prometheus"}


PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def examples() -> list[tuple[Path, str, str]]:
    """Return folder, command and output of each, in blocks about nothing but that recording."""
    found = []
    for block in (block for page in PAGES for block in _BLOCK.findall(page.read_text())):
        folder = CHECKOUT
        for command, output in _steps(block):
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
            elif "svm-demo" in command or "tests/data/" in command:
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
def test_an_example_prints_what_is_documented(folder: Path, command: str, output: str) -> None:
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


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        target, _, anchor = link.partition("#")
        if target.startswith(("http:", "https:")):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def command_lines() -> list[str]:
    """Return the lines of code blocks, and commands in the text, that call bpfexit."""
    found = []
    for page in PAGES:
        text = page.read_text()
        lines = [line for block in _CODE.findall(text) for line in block.splitlines()]
        lines += re.findall(r"`(bpfexit [a-z][^`]*)`", _CODE.sub("", text))
        found += [line for line in lines if re.match(r"([$#] )?bpfexit [a-z]", line)]
    return sorted(set(found))


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_has_options_that_exist(line: str) -> None:
    name, *words = line.lstrip("$# ").split(" | ")[0].split("  ")[0].split()[1:]
    words = words[: words.index("--")] if "--" in words else words
    command = cli.get_command(click.Context(cli), name)
    assert command, line
    known = {text for each in command.params for text in each.opts} | {"-h", "--help"}
    assert {word for word in words if re.fullmatch(r"--?[a-z][\w-]*", word)} <= known
