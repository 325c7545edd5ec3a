"""The worked examples of docs/contributing.md: applied to a copy of the tree, they pass lint."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
_SECTION = re.compile(r"^## Add a (?:histogram )?(\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DIFF = re.compile(r"^```diff\n--- a/(\S+)\n\+\+\+ .*?\n@@ @@\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MOST = {"column": 3, "format": 2, "rule": 2, "view": 3}
"""Files that an example may touch, its test included."""

SECTIONS = dict(_SECTION.findall((CHECKOUT / "docs" / "contributing.md").read_text()))


def apply(text: str, changes: str) -> str:
    """Apply a diff's only hunk, whose context stands once in the text."""
    lines = changes.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(before) == 1, before
    return text.replace(before, after)


def add_examples(tree: Path) -> list[str]:
    """Add all examples to a tree; return the tests among them."""
    tests = []
    for section in SECTIONS.values():
        for name, text in _FILE.findall(section):
            path = tree / name
            assert not path.exists()
            path.write_text(text)
            tests += [name] if "/test_" in name else []
        for name, changes in _DIFF.findall(section):
            path = tree / name
            path.write_text(apply(path.read_text(), changes))
    return tests


@pytest.mark.parametrize("what", _MOST)
def test_an_example_touches_few_files(what: str) -> None:
    files = [name for kind in (_FILE, _DIFF) for name, _ in kind.findall(SECTIONS[what])]
    assert 1 < len(set(files)) <= _MOST[what]
    assert any("/test_" in name for name in files)


def test_the_examples_pass_lint_and_their_tests(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    built = [line.rstrip("/") for line in (CHECKOUT / ".gitignore").read_text().splitlines()]
    shutil.copytree(CHECKOUT, tree, ignore=shutil.ignore_patterns(".git", *built))
    tests = add_examples(tree)
    assert len(tests) == len(_MOST)
    tools = str(Path(sys.executable).parent)
    commands: tuple[list[str], ...] = (
        [sys.executable, "docs/generate.py"],
        [f"{tools}/ruff", "check", "--no-cache"],
        [f"{tools}/ruff", "format", "--no-cache", "--check"],
        [f"{tools}/lint-imports", "--no-cache"],
        [f"{tools}/mypy", "--cache-dir", str(CHECKOUT / ".mypy_cache")],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
    )
    for command in commands:
        done = subprocess.run(
            command,
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
