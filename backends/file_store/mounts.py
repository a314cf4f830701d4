"""Which file systems other hosts may see: they get long leases and distrusted caches.

A path flows in; its mount, or a yes or no, flows out. Only ``/proc/mounts`` is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

#: Types of mounts that several hosts share, as ``/proc/mounts`` names them.
# fmt: off
NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph",
    "glusterfs", "afs", "9p", "panfs", "pvfs2", "orangefs", "ocfs2", "gfs2", "fuse.sshfs",
    "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.mfs",
    "fuse.juicefs", "virtiofs", "davfs", "fuse.davfs2", "wekafs",
})
# fmt: on


class Mount(NamedTuple):
    """One line of the kernel's table."""

    point: str
    kind: str
    options: tuple[str, ...]


def on_network(path: str, mounts: str = "/proc/mounts") -> bool:
    """Return whether a path lies on a mount that other hosts may share.

    Parameters
    ----------
    path : str
        Need not exist.
    mounts : str
        The kernel's table; where there is none (not Linux) the answer is False.
    """
    mount = mount_of(path, mounts)
    return mount is not None and mount.kind in NETWORK


def mount_of(path: str, mounts: str = "/proc/mounts") -> Mount | None:
    """Return the mount that a path lies on; ``None`` where there is no table."""
    try:
        table = Path(mounts).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    place = str(Path(path).resolve())
    best: Mount | None = None
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape")  # a blank is written \040
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # The later of two mounts on one place is the one in sight.
        if inside and len(point) >= len(best.point if best else ""):
            best = Mount(point, fields[2], tuple(",".join(fields[3:4]).split(",")))
    return best
