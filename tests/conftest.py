"""Settings for all tests."""

import gc
import os

from hypothesis import settings

# Prometheus and its tools run for seconds here, next to other tests. By default, they collect
# garbage half of the time, and look for work on all cores.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMAXPROCS", "1")

# The time of an example depends on the machine; `make bench` measures times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Leave what pytest loaded out of full garbage collections: exporters run in its process."""
    gc.collect()
    gc.freeze()
