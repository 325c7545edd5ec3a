"""A fresh root of each release with the package installed; tests of a release share it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpfexit import __version__
from tests.package.roots import SUITES, Root, fresh_root
from tests.requirements import lacking
from tests.testbed.kernels import CHECKOUT, TestbedError

BOOT = "systemd-sysv"
"""What a container boots with."""
PACKAGE = CHECKOUT / "dist" / f"bpfexit_{__version__}_all.deb"


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.debian)


@pytest.fixture(scope="session", params=SUITES)
def bare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, needs_root: None
) -> Iterator[Root]:
    """Return a root without the package."""
    del needs_root
    if not PACKAGE.exists():
        lacking("debian", f"{PACKAGE.name} is not built; `make deb` builds it")
    folder = tmp_path_factory.mktemp("root")
    try:
        root = fresh_root(request.param, folder)
    except TestbedError as error:
        lacking("debian", str(error))
    shutil.copy(PACKAGE, root.folder / "root")
    yield root
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def before(bare: Root) -> set[str]:
    """Return the files that are there before the package and what it depends on is."""
    bare.run("apt-get", "update", "--quiet")
    depends = bare.output("dpkg-deb", "--field", f"/root/{PACKAGE.name}", "Depends")
    names = re.findall(r"(?:^|,) ?([^\s,(]+)", depends.replace(":any", ""))
    bare.run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *names, BOOT)
    return bare.files()


@pytest.fixture(scope="session")
def root(bare: Root, before: set[str]) -> Root:
    """Return a root with the package installed, as `apt install ./bpfexit_*.deb` does."""
    del before
    bare.run("apt-get", "install", "--yes", "--quiet", f"/root/{PACKAGE.name}")
    return bare
