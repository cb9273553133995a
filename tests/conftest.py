"""What all tests share."""

from hypothesis import settings

# Without a deadline: a kernel's first call compiles it, and shared machines stall. Every failure prints how to get it
# again, beside the seed that pytest-randomly prints for the run.
settings.register_profile("baznashr", deadline=None, print_blob=True)
settings.load_profile("baznashr")
