"""Where results come from: who and where a worker is, and with what packages it works.

Facts of this process, its host and its scheduler flow in; ``Identity`` and ``Origin``
values flow out. It must not know tasks, and it starts and imports nothing: versions are
those of packages already loaded. Everything works, with less detail, without /proc.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from taskgraph.store import Identity, Origin

#: Packages whose version may change a result.
PACKAGES = (
    "taskgraph",
    "numpy",
    "scipy",
    "skimage",
    "mahotas",
    "sklearn",
    "torch",
    "pandas",
    "polars",
)
#: (variable of the job, variable of its element, name in front)
_SCHEDULERS = (
    ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "slurm"),
    ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "slurm"),
    ("PBS_JOBID", "PBS_ARRAY_INDEX", "pbs"),
    ("LSB_JOBID", "LSB_JOBINDEX", "lsf"),
    ("JOB_ID", "SGE_TASK_ID", "sge"),
)
#: Cores that a scheduler gave to this job, the first that is set.
_CORES = ("SLURM_CPUS_PER_TASK", "NSLOTS", "PBS_NCPUS", "NCPUS", "LSB_DJOB_NUMPROC")
#: What schedulers write where there is no array.
_NO_ELEMENT = ("", "0", "undefined")


def make_origin(
    function: str,
    fingerprint: str = "",
    jugfile: str = "",
    worker: str = "",
    versions: tuple[tuple[str, str], ...] | None = None,
) -> Origin:
    """``origin = make_origin("study.segment", code, "study.py", worker)``: provenance of results.

    Parameters
    ----------
    function : str
        Qualified name of the task's function.
    fingerprint : str
        Of the function's code.
    jugfile : str
        Its path, relative to the store where possible.
    worker : str
        The id that the store gave.
    versions : tuple of (str, str), optional
        Packages and their versions; default: :func:`package_versions`.
    """
    return Origin(
        function=function,
        fingerprint=fingerprint,
        jugfile=jugfile,
        host=host_name(),
        worker=worker,
        job=cluster_job(),
        versions=package_versions() if versions is None else versions,
    )


def package_versions() -> tuple[tuple[str, str], ...]:
    """Return (package, version) of the loaded packages that may change a result."""
    found = []
    for name in PACKAGES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            found.append((name, str(version)))
    return (("python", ".".join(map(str, sys.version_info[:3]))), *found)


def cluster_job(environ: Mapping[str, str] = os.environ) -> str:
    """Return the job of a cluster, such as ``"slurm:123_4"``; ``""`` outside of one."""
    for job, element, name in _SCHEDULERS:
        if number := environ.get(job, ""):
            index = environ.get(element, "")
            # Slurm's arrays may begin with 0; elsewhere 0 means that there is no array.
            alone = index in _NO_ELEMENT and not (name == "slurm" and index)
            return f"{name}:{number}" if alone else f"{name}:{number}_{index}"
    return ""


@lru_cache(maxsize=1)
def host_name() -> str:
    """Return the name of this host."""
    return os.uname().nodename


def identity(
    pid: int | None = None,
    *,
    resources: tuple[tuple[str, float], ...] = (),
    proc: Path = Path("/proc"),
    environ: Mapping[str, str] = os.environ,
) -> Identity:
    """Return who a process is, as far as others need to judge whether it lives.

    Parameters
    ----------
    pid : int, optional
        Default: this process.
    resources : tuple of (str, float)
        What it may use, e.g. ``(("gpu", 1.0),)``.
    proc : Path
        The /proc file system.
    environ : mapping
        Where the scheduler's variables are.
    """
    pid = os.getpid() if pid is None else pid
    return Identity(
        host=host_name(),
        boot=boot(proc),
        pid=pid,
        birth=birth(pid, proc),
        job=cluster_job(environ),
        resources=resources,
    )


def boot(proc: Path = Path("/proc")) -> str:
    """Return boot id and pid namespace; a pid means the same process only within both.

    Where there is no /proc it is ``""``: then nobody concludes anything from a pid.
    """
    try:
        number = (proc / "sys/kernel/random/boot_id").read_text().strip()
        space = str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{number} {space}"


def birth(pid: int, proc: Path = Path("/proc")) -> str:
    """Return when a process started, in clock ticks since boot; ``""`` when unknown.

    Field 22 of /proc/PID/stat (proc(5)). The name in field 2 may hold spaces and
    brackets, so fields are counted after the last bracket.
    """
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


# -- cores -----------------------------------------------------------------------------
def machine_resources() -> dict[str, float]:
    """Return the machine's memory in bytes and its number of GPUs."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return {"memory": memory, "gpu": float(gpus)}


def cores(
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    affinity: int | None = None,
) -> int:
    """Return how many cores this process may use: the least that anything allows.

    Parameters
    ----------
    environ : mapping
        Where schedulers say how many cores a job got.
    root : Path
        Where /proc and /sys are: the quotas of control groups, version 1 and 2.
    affinity : int, optional
        Cores this process may run on; default: as the system says.

    Returns
    -------
    int
        At least 1; a quota of 1.5 cores counts as 2.
    """
    allowed = [float(affinity or _affinity())]
    allowed += [quota for quota in _quotas(root) if quota > 0]
    for name in _CORES:
        if environ.get(name, "").isdecimal() and int(environ[name]) > 0:
            allowed.append(float(environ[name]))
            break
    return max(1, -int(-min(allowed) // 1))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> list[float]:
    """Return the quotas, in cores, of this process's control groups and those above."""
    found = []
    for folder in _groups(root):
        words = _words(folder / "cpu.max")
        if not words:
            words = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            found.append(int(words[0]) / int(words[1]))
    return found


def _groups(root: Path) -> list[Path]:
    """Return the folders of the control groups that this process is in."""
    base = root / "sys/fs/cgroup"
    folders = [base, base / "cpu", base / "cpu,cpuacct"]
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "" or "cpu" in controllers.split(","):
            place = base / controllers / path.lstrip("/")
            folders += [one for one in (place, *place.parents) if one.is_relative_to(base)]
    return folders


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
