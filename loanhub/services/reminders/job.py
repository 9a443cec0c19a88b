"""The job that sends: lease a page, hand each letter to its channel, record what it answered."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from loanhub.acts import Asked
from loanhub.jobs import Progress
from loanhub.kinds import Delivery
from loanhub.plugins import attempt
from loanhub.services.reminders.lease import DELIVERED, LEASE, Delivered, Lease, Leased, Outgoing

if TYPE_CHECKING:
    from loanhub.desk import Desk


def send_all(desk: Desk) -> Iterator[Progress]:
    """Send every message that is due, once through the queue in order of id.

    Killed between a channel's yes and its record, the next run tries the same letter id again; the channel
    does not deliver twice. A channel that raises counts as a failed try.
    """
    done, after = 0, 0
    while True:
        leased = desk.do(LEASE, Lease(after))
        if isinstance(leased, Asked):  # these acts have no checker and no key, so nobody is asked
            return
        for outgoing in leased.letters:
            delivery = _send(desk, outgoing, leased)
            desk.do(
                DELIVERED, Delivered(outgoing.message, delivery.state, delivery.reference, delivery.reason)
            )
            done += 1
            yield Progress(done, 0, "remind.progress")
        if leased.last is None:
            return
        after = leased.last


def _send(desk: Desk, outgoing: Outgoing, leased: Leased) -> Delivery:
    house = desk.house
    channel = house.plugins.channels[outgoing.channel]
    own = house.settings.plugins.settings.get(f"loanhub_channel_{outgoing.channel}", {})
    settings = {**own, "today": leased.today.isoformat()}
    send = partial(channel.send, outgoing.letter, home=house.home.root, settings=settings)
    delivery, failure = attempt(outgoing.channel, send)
    if delivery is None:
        return Delivery("failed", reason=failure.error if failure else "no answer")
    return delivery
