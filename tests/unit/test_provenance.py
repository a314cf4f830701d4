"""Who a worker is: identities, cluster jobs, versions and cores, on made-up systems."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskgraph import provenance
from taskgraph.store import Origin


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "12"}, "slurm:12"),
        (
            {"SLURM_JOB_ID": "15", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"},
            "slurm:12_3",
        ),
        ({"SLURM_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}, "slurm:12_0"),
        ({"JOB_ID": "7", "SGE_TASK_ID": "undefined"}, "sge:7"),
        ({"JOB_ID": "7", "SGE_TASK_ID": "2"}, "sge:7_2"),
        ({"PBS_JOBID": "9.server"}, "pbs:9.server"),
        ({"LSB_JOBID": "4", "LSB_JOBINDEX": "0"}, "lsf:4"),
    ],
)
def test_the_cluster_job_is_named_as_its_users_name_it(environ, job):
    assert provenance.cluster_job(environ) == job


def test_versions_are_those_of_loaded_packages_only():
    found = dict(provenance.package_versions())
    assert found["numpy"] == np.__version__
    assert found["python"].startswith("3.")
    code = (
        "import sys; from taskgraph.provenance import package_versions as v; "
        "assert 'numpy' not in dict(v()); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_origin_carries_what_many_results_share():
    origin = provenance.make_origin("study.segment", "ab", "study.py", "w1", (("numpy", "2"),))
    assert origin == Origin(
        function="study.segment",
        fingerprint="ab",
        jugfile="study.py",
        host=provenance.host_name(),
        worker="w1",
        job=provenance.cluster_job(),
        versions=(("numpy", "2"),),
    )
    assert provenance.make_origin("f").versions == provenance.package_versions()


def made_up(root, name="python", start=4711):
    """Write a /proc with one process."""
    (root / "sys/kernel/random").mkdir(parents=True)
    (root / "sys/kernel/random/boot_id").write_text("boot-1\n")
    (root / "self/ns").mkdir(parents=True)
    (root / "self/ns/pid").symlink_to("pid:[42]")
    (root / "77").mkdir()
    fields = ["S", *map(str, range(4, 22)), str(start), "0", "0"]
    (root / "77/stat").write_text(f"77 ({name}) " + " ".join(fields))
    return root


@pytest.mark.parametrize("name", ["python", "a b) (c", "((", "1 2 3 4"])
def test_an_identity_is_read_from_proc(tmp_path, name):
    who = provenance.identity(
        77, resources=(("gpu", 1.0),), proc=made_up(tmp_path, name), environ={"JOB_ID": "5"}
    )
    assert (who.pid, who.birth, who.boot) == (77, "4711", "boot-1 pid:[42]")
    assert (who.job, who.resources) == ("sge:5", (("gpu", 1.0),))


def test_a_reused_pid_is_told_by_its_birth(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = provenance.identity(77, proc=made_up(tmp_path / "a", start=1))
    second = provenance.identity(77, proc=made_up(tmp_path / "b", start=2))
    assert first != second


def test_without_proc_nothing_is_claimed(tmp_path):
    who = provenance.identity(proc=tmp_path)
    assert (who.pid, who.boot, who.birth) == (os.getpid(), "", "")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_this_process_has_one_identity_and_its_child_another():
    mine = provenance.identity()
    assert mine == provenance.identity()
    assert mine.birth.isdecimal()
    code = "from taskgraph.provenance import identity as i; print(i().boot); print(i().pid)"
    boot, pid = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert boot == mine.boot
    assert int(pid) != mine.pid


def group(root, path, **files):
    """Write a control group."""
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("cpu_", "cpu.", 1)).write_text(text)


@pytest.mark.parametrize(
    ("environ", "quota", "affinity", "cores"),
    [
        ({}, "max 100000", 16, 16),
        ({}, "400000 100000", 16, 4),
        ({}, "150000 100000", 16, 2),
        ({}, "10000 100000", 16, 1),
        ({}, "rubbish", 16, 16),
        ({"SLURM_CPUS_PER_TASK": "3"}, "400000 100000", 16, 3),
        ({"NSLOTS": "8"}, "400000 100000", 16, 4),
        ({"NSLOTS": "many"}, "max 100000", 2, 2),
        ({"NSLOTS": "0"}, "max 100000", 2, 2),
    ],
)
def test_cores_are_the_least_that_anything_allows(tmp_path, environ, quota, affinity, cores):
    group(tmp_path, "job/step", cpu_max=quota)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job/step\n")
    assert provenance.cores(environ, tmp_path, affinity) == cores


def test_a_quota_further_up_counts_too(tmp_path):
    group(tmp_path, "job/step", cpu_max="max 100000")
    group(tmp_path, "job", cpu_max="200000 100000")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job/step\n")
    assert provenance.cores({}, tmp_path, 16) == 2


def test_control_groups_of_version_1_are_read(tmp_path):
    group(tmp_path, "cpu,cpuacct/job", cpu_cfs_quota_us="300000", cpu_cfs_period_us="100000")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("5:cpu,cpuacct:/job\n3:memory:/job\n")
    assert provenance.cores({}, tmp_path, 16) == 3
    group(tmp_path, "cpu,cpuacct/job", cpu_cfs_quota_us="-1")
    assert provenance.cores({}, tmp_path, 16) == 16


def test_cores_of_this_machine_are_at_least_one(tmp_path):
    assert provenance.cores() >= 1
    assert provenance.cores({}, tmp_path) >= 1
