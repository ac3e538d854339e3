"""Settings for all tests."""

import gc

from hypothesis import settings

# The time of an example depends on the machine; `make bench` measures times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Leave what pytest loaded out of full garbage collections: exporters run in its process."""
    gc.collect()
    gc.freeze()
