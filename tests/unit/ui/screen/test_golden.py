"""Whole screens as text and as pictures: sizes, numbers of guests, back ends.

`BPFEXIT_GOLDEN=write pytest tests/unit/ui/screen/test_golden.py` writes them anew; the
difference is to be read before it is committed.
"""

import os
import time
from pathlib import Path

import pytest

from bpfexit.model.view import Query
from bpfexit.names.reasons import Isa
from bpfexit.ui.screen.cells import Size, texts
from bpfexit.ui.screen.state import first_state
from docs.picture import picture
from tests.unit.ui.screen.drive import Driver
from tests.unit.ui.screen.hosts import host

GOLDEN = Path(__file__).parent / "golden"
SIZES = (Size(80, 24), Size(120, 40), Size(200, 60))
PAGES = {"first": (), "reasons": ("2",), "opened": ("1", "down", "enter")}
DETAIL = ("2", "home", "down", "enter")


def driver(isa: Isa, guests: int, size: Size) -> Driver:
    state = first_state(Query(), 1.0, has_exit_events=bool(isa))
    return Driver(*(host(guests, isa, second) for second in range(3)), size=size, state=state)


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("BPFEXIT_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.width}x{size.height}")
@pytest.mark.parametrize("guests", [0, 1, 50])
@pytest.mark.parametrize("isa", [Isa.VMX, Isa.SVM, Isa.NONE], ids=["vmx", "svm", "pvm"])
def test_the_first_screen(isa: Isa, guests: int, size: Size) -> None:
    lines = driver(isa, guests, size).lines()
    name = isa.name.lower() if isa else "pvm"
    check(f"{name}-{guests}-{size.width}x{size.height}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("page", [*PAGES, "detail"])
def test_a_page_in_colour(page: str) -> None:
    check_page(page, Isa.VMX, Size(120, 40), page)


@pytest.mark.parametrize("size", [Size(80, 24), Size(200, 60)], ids=lambda size: f"{size.width}")
@pytest.mark.parametrize("page", ["first", "opened", "detail"])
def test_a_page_on_a_small_and_on_a_large_terminal(page: str, size: Size) -> None:
    check_page(page, Isa.VMX, size, f"{page}-{size.width}x{size.height}")


@pytest.mark.parametrize("isa", [Isa.SVM, Isa.NONE], ids=["svm", "pvm"])
@pytest.mark.parametrize("page", ["first", "opened", "detail"])
def test_a_page_of_another_back_end(page: str, isa: Isa) -> None:
    check_page(page, isa, Size(120, 40), f"{page}-{isa.name.lower() if isa else 'pvm'}")


def check_page(page: str, isa: Isa, size: Size, name: str) -> None:
    shown = driver(isa, 50, size).press(*PAGES.get(page, DETAIL))
    check(f"{name}.svg", picture(shown.grid()))
    check(f"{name}.txt", "\n".join(texts(shown.grid())) + "\n")
