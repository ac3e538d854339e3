"""Settings for all tests."""

from hypothesis import settings

# The time of an example depends on the machine; `make bench` measures times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
