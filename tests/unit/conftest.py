"""What all unit tests share: hypothesis draws the same examples each time, however slowly."""

from hypothesis import settings

settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")
