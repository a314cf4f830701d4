"""What all tests share: how hard Hypothesis tries, by ``HYPOTHESIS_PROFILE`` or ``CI``."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

CALM = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("dev", max_examples=50, **CALM)
settings.register_profile("ci", max_examples=200, print_blob=True, **CALM)
settings.register_profile("nightly", max_examples=5000, stateful_step_count=200, **CALM)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "1" else "dev")
)


@pytest.fixture(autouse=True)
def no_listener_stays():
    """Forget the listeners that a jugfile read by a test has added."""
    yield
    from taskgraph import events

    events.LISTENERS.clear()
