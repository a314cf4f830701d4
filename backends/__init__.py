"""Stores that the core reaches by URL: each one a package or a module of its own."""

from bioimage_tasks.start import check_core

check_core()
