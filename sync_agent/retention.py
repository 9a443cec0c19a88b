"""Which snapshots a policy keeps. Pure: no clock is read and nothing is deleted here.

Order is the order of the commits, which nobody can forge. Times are the storage's own. What the clients'
clocks claim may only keep more: a point is kept when either clock says so, so no claimed time, however far
in the future or the past, evicts what the storage's time keeps. (In a folder the storage's clock is that of
this computer; there a wrong time takes the place of one period, never of more.) Points that verify found
damaged do not count: a good one is never given up in favour of one that would not restore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from attrs import asdict, frozen

from loanhub import Usage

Bucket = Callable[[datetime], tuple[int, ...]]
PERIODS: Final[Mapping[str, Bucket]] = {
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar())[:2],
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}


@frozen
class Policy:
    """How many are kept: the newest, and the last one of so many days, weeks, months and years."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def check(self) -> None:
        """Raises Usage `sync-policy-empty` when it would keep nothing, `sync-policy-negative`."""
        counts = asdict(self).values()
        if any(count < 0 for count in counts):
            raise Usage("sync-policy-negative")
        if not any(counts):
            raise Usage("sync-policy-empty")


@frozen
class Point:
    """A snapshot: its commit number, the storage's time of it (None: it has none), the writer's claim.

    `sound`: nothing is known to be wrong with it.
    """

    sequence: int
    stored: datetime | None
    claimed: datetime
    sound: bool = True


def kept(points: Iterable[Point], policy: Policy, zone: tzinfo = UTC) -> dict[int, tuple[str, ...]]:
    """The commit numbers to keep, each with the reasons: last, daily, weekly, monthly, yearly, unsound.

    Periods begin and end in `zone`. Points that are not sound stay, for a person to decide on, and count
    for nothing. Raises Usage as `Policy.check`.
    """
    policy.check()
    everything = sorted(points, key=lambda point: point.sequence)
    newest_first = [point for point in reversed(everything) if point.sound]
    reasons: dict[int, dict[str, None]] = {}

    def keep(point: Point, reason: str) -> None:
        reasons.setdefault(point.sequence, {})[reason] = None

    for point in newest_first[: policy.last]:
        keep(point, "last")
    clocks = [{point.sequence: point.claimed.astimezone(zone) for point in newest_first}]
    if all(point.stored is not None for point in newest_first):
        clocks.append({one.sequence: one.stored.astimezone(zone) for one in newest_first if one.stored})
    for period, bucket in PERIODS.items():
        for times in clocks:
            for point in _last_of_each(newest_first, times, bucket, getattr(policy, period)):
                keep(point, period)
    for point in everything:
        if not point.sound:
            keep(point, "unsound")
    return {sequence: tuple(found) for sequence, found in sorted(reasons.items())}


def _last_of_each(
    newest_first: Sequence[Point], times: Mapping[int, datetime], bucket: Bucket, most: int
) -> Iterable[Point]:
    """The newest point of each of the `most` newest periods that have one."""
    seen: set[tuple[int, ...]] = set()
    for point in newest_first:
        period = bucket(times[point.sequence])
        if period not in seen and len(seen) < most:
            seen.add(period)
            yield point
