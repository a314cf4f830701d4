"""How many threads array libraries have: one while a jugfile is read, then a share of the cores.

The environment's wishes and the list of workers flow in; environment variables and calls
of the libraries that are loaded flow out. A wish of the user (``OMP_NUM_THREADS=4``) is
what a worker gets; without one, workers that share a machine share its cores. That is
more than a courtesy: on two cores with eight busy processes a product of matrices of
128 x 128 took 15 ms with two threads each and 0.6 ms with one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field

from taskgraph.store import Identity

#: Variables of the libraries for linear algebra, the first that is set counts; OpenMP's is last.
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
OPENMP_VARIABLE = "OMP_NUM_THREADS"
THREAD_VARIABLES = (*BLAS_VARIABLES, OPENMP_VARIABLE, "NUMEXPR_NUM_THREADS")
#: OpenBLAS's threads wait for work by spinning, for 2 to this power cycles: 26 unless told
#: otherwise, which is 40 ms of a core for each library and worker when its threads start, and
#: again after each call. 20 is half a millisecond; then they sleep.
#: (https://github.com/OpenMathLib/OpenBLAS/issues/5171)
SPIN_VARIABLE, SPIN = "OPENBLAS_THREAD_TIMEOUT", "20"


@dataclass
class Threads:
    """``threads = Threads(cores, workers)``: of array libraries in this process.

    Parameters
    ----------
    cores : int
        That this supervisor may use.
    workers : int
        That it starts.
    environ : mutable mapping
        Where the user's wishes are, and where libraries look when they are loaded.
    """

    cores: int = 1
    workers: int = 1
    environ: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    wishes: dict[str, str] = field(default_factory=dict)
    now: int = 0  #: the share that was given last, 0 before the first
    told: tuple[int, int] = (1, 1)  #: threads that loaded libraries have: BLAS, OpenMP

    def quiet(self) -> None:
        """Keep libraries at one thread: one that has started others can't be forked safely."""
        self.environ.setdefault(SPIN_VARIABLE, SPIN)
        self.wishes = {n: self.environ[n] for n in THREAD_VARIABLES if n in self.environ}
        self.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))

    def share(self, others: Iterable[Identity], me: Identity) -> int:
        """Return this worker's share of the cores, the live workers given.

        Workers of one machine share it, whoever started them. A job of a cluster has cores
        of its own, so it shares them with the workers of its supervisor only.
        """
        mates = 0 if me.job else sum(w.boot == me.boot and not w.job for w in others)
        return max(1, self.cores // max(self.workers, mates))

    def give(self, count: int) -> None:
        """Let libraries, loaded already and to come, have so many threads, or the user's number."""
        if count == self.now:
            return
        self.now = count
        blas, openmp = self._wish(*BLAS_VARIABLES, OPENMP_VARIABLE), self._wish(OPENMP_VARIABLE)
        for name in THREAD_VARIABLES:
            self.environ[name] = self.wishes.get(name, str(openmp or count))
        told = blas or count, openmp or count
        if told != self.told:
            self.told = told
            _tell(*told)

    def _wish(self, *names: str) -> int:
        """Return what the user said by the first of these variables, 0 for nothing."""
        said = next((self.wishes[name] for name in names if name in self.wishes), "")
        first = said.partition(",")[0].strip()  # OpenMP takes a number for each level of nesting
        return int(first) if first.isdecimal() else 0


def _tell(blas: int, openmp: int) -> None:
    """Set the numbers of libraries that are loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(openmp)
    if "numpy" not in sys.modules:
        return
    try:
        import threadpoolctl
    except ImportError:  # an extra: scikit-learn brings it
        return
    threadpoolctl.threadpool_limits({"blas": blas, "openmp": openmp})
