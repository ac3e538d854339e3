"""A moment that notes when comparisons with it turn out differently; pure."""


class Moment(float):
    """Seconds since the epoch. Problems compare times with it by its methods only.

    changes_at: until this time the same comparisons give the same results.
    """

    __slots__ = ("changes_at",)

    def __init__(self, _: float) -> None:
        self.changes_at = float("inf")

    def reached(self, time: float) -> bool:
        """Return True at a time and after it."""
        return time == self or self.passed(time)

    def passed(self, time: float) -> bool:
        """Return True after a time."""
        if time < self:
            return True
        self.changes_at = min(self.changes_at, time)
        return False
