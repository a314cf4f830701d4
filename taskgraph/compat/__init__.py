"""For those who come from jug: its names, its settings, and the results it stored.

``compat.jug`` has jug's public names under jug's module names; ``finder`` makes
``import jug`` mean it; ``jugrc`` and ``exit_variables`` read jug's settings; ``jug_hash``,
``jug_store`` and ``import_jug`` carry results over. Only commands reach in here: the
core works without this folder.
"""
