"""A Grid Engine and a Slurm of one host for the tests: brought up here, torn down here.

Both live in a folder of their own under the temporary one, as this user, on free ports:
nothing in /etc or /var is read or written, and a scheduler that this machine already has
goes on untouched. In flow the programs that Debian's packages install (`make
cluster-packages`), of which none needs root to run; out flows a :class:`Scheduler`, which
submits and removes jobs and tells their exit codes. Where the programs are not installed,
the tests are skipped.

Slurm's daemons listen on the address of this host's name. Grid Engine's have no such choice:
they listen on all interfaces, but take orders only from this host.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "cluster"
PACKAGES = "the packages gridengine-master, gridengine-exec, gridengine-client, slurm-wlm, munge"
#: Seconds after which something that does not come is a failure: the machine may be busy.
PATIENCE = 90.0
#: A core of the machine is shared by many workers that mostly wait.
SLOTS = 16
SHARE = Path("/usr/share/gridengine")
BINARIES = Path("/usr/lib/gridengine")


def changed(text: str, values: Mapping[str, object]) -> str:
    """Return a file of ``name value`` lines with some values changed."""
    for name, value in values.items():
        text, count = re.subn(rf"^{name}\s.*$", f"{name} {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{name}: {count} lines"
    return text


def clean_environment() -> dict[str, str]:
    """Return this environment without what schedulers, jug and array libraries go by."""
    foreign = re.compile(r"(SGE|SLURM|SBATCH|OMP|JUG|TASKGRAPH)_|(NSLOTS|JOB_ID|CI)$")
    return {name: value for name, value in os.environ.items() if not foreign.match(name)}


class Scheduler:
    """Daemons that end when they are told to or the test run is killed, and commands for them.

    What the two kinds add: ``submit``, ``remove``, ``codes`` (of an array's elements, by their
    numbers), the options ``array`` and ``cores``.
    """

    script: Path  #: the example for users
    notice: str  #: the signal that an element gets when it is removed
    clearing: tuple[str, ...]  #: the command that removes all jobs
    listing: tuple[str, ...]  #: the command that prints nothing when there are none

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = clean_environment()
        self.running: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        """Write the configuration and start the daemons."""
        raise NotImplementedError

    def start(self, *command: str) -> None:
        """Start one in the foreground, with its output in the folder."""
        bound = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self.folder / f"{Path(command[0]).name}.out").open("ab") as out:
            process = subprocess.Popen(
                [*bound, *command], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.running.append(process)

    def down(self) -> None:
        """Remove all jobs, then stop the daemons, the last first."""
        with contextlib.suppress(AssertionError, OSError, subprocess.TimeoutExpired):
            self.ask(*self.clearing, check=False)
            self.wait_until(lambda: not self.ask(*self.listing, check=False), "no jobs")
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:  # what they would still write goes anyway
                process.kill()
                process.wait()
        self.running.clear()

    def ask(self, *command: str, check: bool = True, where: Path | None = None) -> str:
        """Run one of the scheduler's commands and return what it prints."""
        done = subprocess.run(
            command, env=self.env, cwd=where or self.folder, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}{self.logs()}")
        return done.stdout

    def answers(self, *command: str) -> bool:
        """Tell whether a command succeeds."""
        done = subprocess.run(
            command, env=self.env, capture_output=True, timeout=PATIENCE, check=False
        )
        return done.returncode == 0

    def wait_until(self, condition: Callable[[], Any], what: str) -> None:
        """Look again and again; fail when it never comes, or a daemon is no more."""
        end = time.monotonic() + PATIENCE
        while not condition():
            dead = [process.args for process in self.running if process.poll() is not None]
            assert not dead, f"{dead} ended{self.logs()}"
            assert time.monotonic() < end, f"never: {what}{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        """Return the end of what the daemons wrote."""
        texts = [f"\n== {path}\n{path.read_text(errors='replace')[-3000:]}"
                 for pattern in ("*.out", "*.log", "**/messages")
                 for path in self.folder.glob(pattern)]  # fmt: skip
        return "".join(texts)


class GridEngine(Scheduler):
    """Grid Engine with a root folder of its own."""

    script = EXAMPLES / "gridengine.sh"
    notice = "SIGUSR2"
    clearing = ("qdel", "-u", "*")
    listing = ("qstat", "-u", "*")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.host = socket.gethostname()
        master, exec_ = free_ports(2)
        self.env |= {
            "SGE_ROOT": str(folder), "SGE_CELL": "default", "SGE_ND": "1",
            "SGE_QMASTER_PORT": str(master), "SGE_EXECD_PORT": str(exec_),
        }  # fmt: skip

    def up(self) -> None:
        """Write the configuration, start both daemons, make one queue."""
        self.lay_out()
        self.start(str(BINARIES / "sge_qmaster"))
        self.wait_until(lambda: self.answers("qconf", "-sh"), "qmaster answers")
        ask = self.ask
        ask("qconf", "-as", self.host)
        lists = "user_lists xuser_lists projects xprojects usage_scaling report_variables"
        lines = [f"hostname {self.host}", "load_scaling NONE", "complex_values NONE"]
        lines += [f"{name} NONE" for name in lists.split()]
        ask("qconf", "-Ae", self.write("host", "\n".join(lines) + "\n"))
        ask("qconf", "-Ap", str(SHARE / "util/resources/pe/smp"))
        queue = changed(
            ask("qconf", "-sq"),
            {"qname": "all.q", "hostlist": self.host, "slots": SLOTS, "shell": "/bin/bash",
             "load_thresholds": "NONE", "notify": "00:00:05", "pe_list": "smp"},
        )  # fmt: skip
        ask("qconf", "-Aq", self.write("queue", queue))
        quick = {"schedule_interval": "0:0:1", "flush_submit_sec": 1, "flush_finish_sec": 1}
        ask("qconf", "-Msconf", self.write("schedule", changed(ask("qconf", "-ssconf"), quick)))
        self.start(str(BINARIES / "sge_execd"))
        self.wait_until(lambda: " lx-" in ask("qhost"), "execd reports")

    def lay_out(self) -> None:
        """Make what an administrator would install under SGE_ROOT."""
        architecture = self.ask(str(SHARE / "util/arch")).strip()
        common, spool = self.folder / "default/common", self.folder / "spool"
        for place in (common, spool / "qmaster/job_scripts", spool / "execd"):
            place.mkdir(parents=True)
        for name in ("bin", "lib", "utilbin"):
            (self.folder / name).mkdir()
            (self.folder / name / architecture).symlink_to(BINARIES)
        (self.folder / "util").symlink_to(SHARE / "util")
        bootstrap = changed(
            (SHARE / "default-bootstrap").read_text(),
            {"admin_user": getpass.getuser(), "binary_path": BINARIES,
             "spooling_method": "classic", "spooling_lib": "libspoolc",
             "spooling_params": f"{common};{spool}/qmaster",
             "qmaster_spool_dir": f"{spool}/qmaster"},
        )  # fmt: skip
        configuration = changed(
            (SHARE / "default-configuration").read_text(),
            {"execd_spool_dir": spool / "execd", "min_uid": 0, "min_gid": 0,
             "load_report_time": "00:00:02", "administrator_mail": "none",
             "reporting_params": "accounting=true reporting=false flush_time=00:00:01 "
             "accounting_flush_time=00:00:00 joblog=false sharelog=00:00:00"},
        )  # fmt: skip
        (common / "bootstrap").write_text(bootstrap)
        (common / "configuration").write_text(configuration)
        (common / "act_qmaster").write_text(f"{self.host}\n")
        (common / "host_aliases").write_text(f"{self.host} localhost\n")
        for what, source in [("complexes", "centry"), ("usersets", "usersets")]:
            command = str(BINARIES / "spooldefaults")
            self.ask(command, what, str(SHARE / "util/resources" / source))
        self.ask(str(BINARIES / "spooldefaults"), "managers", getpass.getuser())

    def write(self, name: str, text: str) -> str:
        """Write a file for qconf and return its path."""
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def submit(self, script: Path, *options: str, **variables: str) -> str:
        """Submit from the script's folder; return the job."""
        given = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        answer = self.ask("qsub", "-terse", *options, *given, script.name, where=script.parent)
        return answer.partition(".")[0].strip()

    def remove(self, job: str, element: int) -> None:
        """Remove one element of an array."""
        self.ask("qdel", job, "-t", str(element))

    def codes(self, job: str) -> dict[int, list[int]]:
        """Return the exit codes of each element's runs that have ended."""
        text = self.ask("qacct", "-j", job, check=False)
        found: dict[int, list[int]] = {}
        for element, code in re.findall(r"^taskid +(\d+).*?^exit_status +(\d+)", text, re.M | re.S):
            found.setdefault(int(element), []).append(int(code))
        return found

    def array(self, elements: int) -> list[str]:
        """Return the options for an array."""
        return ["-t", f"1-{elements}"]

    def cores(self, count: int) -> list[str]:
        """Return the options for so many cores an element."""
        return ["-pe", "smp", str(count)]


class Slurm(Scheduler):
    """Slurm and the munge it needs, with a configuration file and a key of their own."""

    script = EXAMPLES / "slurm.sh"
    notice = "SIGTERM"
    clearing = ("scancel", "--user", getpass.getuser())
    listing = ("squeue", "-h")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.env["SLURM_CONF"] = str(folder / "slurm.conf")

    def up(self) -> None:
        """Write the configuration and start the three daemons."""
        template = Path(__file__).with_name("slurm.conf").read_text()
        control, node = free_ports(2)
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(
            template.format(
                folder=self.folder,
                host=host,
                address=socket.gethostbyname(socket.gethostname()),
                user=getpass.getuser(),
                control=control,
                node=node,
                slots=SLOTS,
            )
        )
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(1024))
        here = str(self.folder)
        self.start(
            "munged", "--foreground", "--force", f"--socket={here}/munge.socket",
            f"--key-file={key}", f"--pid-file={here}/munged.pid", f"--seed-file={here}/seed",
        )  # fmt: skip
        munge = ("munge", "-n", "-S", f"{here}/munge.socket")
        self.wait_until(lambda: self.answers(*munge), "munged answers")
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D")
        sinfo = ("sinfo", "-h", "-o", "%T")
        self.wait_until(lambda: "idle" in self.ask(*sinfo, check=False), "the node is idle")

    def submit(self, script: Path, *options: str, **variables: str) -> str:
        """Submit from the script's folder; return the job."""
        export = ",".join(["ALL", *(f"{name}={value}" for name, value in variables.items())])
        answer = self.ask(
            "sbatch", "--parsable", f"--export={export}", *options, script.name, where=script.parent
        )
        return answer.strip()

    def remove(self, job: str, element: int) -> None:
        """Remove one element of an array."""
        self.ask("scancel", f"{job}_{element}")

    def codes(self, job: str) -> dict[int, list[int]]:
        """Return the exit code of each element that has ended; 128 + number for a signal."""
        found = {}
        for line in self.ask("scontrol", "-o", "show", "job", job).splitlines():
            facts = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if facts["JobState"] not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING"):
                code, _, number = facts["ExitCode"].partition(":")
                element = int(facts.get("ArrayTaskId", "1"))
                found[element] = [128 + int(number) if int(number) else int(code)]
        return found

    def array(self, elements: int) -> list[str]:
        """Return the options for an array."""
        return [f"--array=1-{elements}"]

    def cores(self, count: int) -> list[str]:
        """Return the options for so many cores an element."""
        return [f"--cpus-per-task={count}"]


def free_ports(count: int) -> list[int]:
    """Return TCP ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


KINDS = {"gridengine": GridEngine, "slurm": Slurm}
PROGRAMS = {
    "gridengine": ("qsub", "qacct", str(BINARIES / "sge_qmaster"), str(BINARIES / "sge_execd")),
    "slurm": ("sbatch", "scontrol", "slurmctld", "slurmd", "munged"),
}


@pytest.fixture(scope="session", params=KINDS)
def scheduler(request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    """A scheduler that is up."""
    missing = [name for name in PROGRAMS[request.param] if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not here; root installs {PACKAGES}: "
                    "`make cluster-packages`")  # fmt: skip
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError as error:
        pytest.skip(f"schedulers go by the host's name, and this one has no address: {error}")
    with tempfile.TemporaryDirectory(prefix="taskgraph-", ignore_cleanup_errors=True) as name:
        one = KINDS[request.param](Path(name))
        try:
            one.up()
            yield one
        finally:
            one.down()
