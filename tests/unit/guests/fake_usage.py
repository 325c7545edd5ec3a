"""Threads of a guest, and cgroups, in a root of their own, as `/proc` and cgroupfs tell of them."""

from pathlib import Path


def put_thread(
    root: Path,
    pid: int,
    tid: int,
    name: str,
    counts: str = "0 0 0",
    cgroup: str = "0::/\n",
    cpus: str = "0-3",
) -> None:
    folder = root / "proc" / str(pid) / "task" / str(tid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "schedstat").write_text(f"{counts}\n")
    (folder / "cgroup").write_text(cgroup)
    (folder / "status").write_text(f"Name:\t{name}\nCpus_allowed_list:\t{cpus}\n")


def put_process(root: Path, pid: int, status: str = "", major_faults: int = 0) -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text(f"Name:\tqemu\n{status}")
    fields = ["S", *["0"] * 8, str(major_faults), *["0"] * 10]
    (folder / "stat").write_text(f"{pid} (CPU 0) S) {' '.join(fields)}\n")


def put_file(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
