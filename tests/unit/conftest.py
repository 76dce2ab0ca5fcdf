"""For all unit tests: hypothesis draws the same examples each time, and has no deadline."""

from hypothesis import settings

settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")
