"""Files and classes stay short: 300 lines of a file, 150 of a class."""

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
FOLDERS = ("bpfexit", "bpf_programs", "docs", "tests")
SUFFIXES = (".py", ".c", ".h")
MOST_OF_A_FILE, MOST_OF_A_CLASS = 300, 150


def files() -> list[Path]:
    found = (path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.*"))
    return sorted(path for path in found if path.suffix in SUFFIXES)


def long_classes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > MOST_OF_A_CLASS:
                yield f"{path.relative_to(CHECKOUT)}: {node.name} has {length} lines"


def test_no_file_is_long() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in files()}
    assert len(lengths) > 500
    assert {path: n for path, n in lengths.items() if n > MOST_OF_A_FILE} == {}


def test_no_class_is_long() -> None:
    python = [path for path in files() if path.suffix == ".py"]
    assert [each for path in python for each in long_classes(path)] == []
