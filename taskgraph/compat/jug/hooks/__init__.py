"""jug.hooks: functions that a worker calls at certain points."""

from taskgraph.compat.jug.hooks.register import (
    jug_hook,
    register_hook,
    register_hook_once,
    reset_all_hooks,
)

__all__ = ["jug_hook", "register_hook", "register_hook_once", "reset_all_hooks"]
