"""Token buckets: the rate that they hold."""

from hypothesis import given
from hypothesis import strategies as st

from baznashr_server.access.quota import Bucket


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    st.floats(0.1, 1000),
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 300)), max_size=60),
)
def test_the_mean_rate_holds(rate: float, burst: float, calls: list[tuple[float, int]]) -> None:
    """Whatever is asked and when, what is let through is at most the burst, the rate's share, and one call's debt."""
    clock = Clock()
    bucket = Bucket(rate, burst, clock)
    taken = 0.0
    for wait, amount in calls:
        clock.now += wait
        if bucket.take(amount) == 0:
            taken += amount
        assert taken <= burst + rate * clock.now + max(0.0, amount - burst) + 300 + 1e-6


@given(st.floats(0.1, 1000), st.floats(1, 1000), st.integers(1, 3000), st.integers(1, 3000))
def test_the_wait_it_names_is_enough(rate: float, burst: float, first: int, second: int) -> None:
    """A call that comes back after the time it was told is let through, however large it is; sooner it is not."""
    clock = Clock()
    bucket = Bucket(rate, burst, clock)
    assert bucket.take(first) == 0
    wait = bucket.take(second)
    if wait:
        clock.now += wait * 0.9
        assert bucket.take(second) > 0
        clock.now += wait * 0.1 + 1e-6 / rate + 1e-9 * max(1.0, wait)
        assert bucket.take(second) == 0


def test_a_bucket_is_full_at_first_and_never_more_than_full() -> None:
    """A caller that was away for long may take its burst at once, not all that it missed."""
    clock = Clock()
    bucket = Bucket(2, None, clock)
    assert bucket.burst == 2
    clock.now = 1e6
    assert [bucket.take(1) for _ in range(2)] == [0, 0]
    assert bucket.take(1) == 0.5
