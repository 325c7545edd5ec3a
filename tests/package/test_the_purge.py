"""`apt purge` leaves nothing of the package. Of this folder, it runs last."""

from tests.package.roots import Root

KEPT_BY_OTHERS = ("/root", "/run", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/log")
"""Where Debian's own tools, which the tests ran, keep files of theirs."""
OF_THE_TESTS = ("/root/", "/var/cache/man/")
"""The package as a file, recordings, and what man has formatted."""


def test_purged_it_leaves_nothing(root: Root, before: set[str]) -> None:
    cache = root.folder / "var/cache/bpfexit"
    cache.mkdir(exist_ok=True)
    root.run("apt-get", "remove", "--yes", "--quiet", "bpfexit")
    assert cache.is_dir()
    root.run("apt-get", "purge", "--yes", "--quiet", "--autoremove", "bpfexit")
    left = root.files() - before
    assert {path for path in left if not path.startswith(KEPT_BY_OTHERS)} == set()
    named = {path for path in left if "bpfexit" in path}
    assert {path for path in named if not path.startswith(OF_THE_TESTS)} == set()
