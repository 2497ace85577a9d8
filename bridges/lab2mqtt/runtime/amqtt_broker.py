"""amqtt's broker, with one defect mended."""

from collections.abc import Iterator
from typing import Any

from amqtt import broker
from amqtt.session import Session


class Broker(broker.Broker):  # type: ignore[misc]
    """A broker that tells nobody what others subscribed to.

    Up to amqtt 0.12.1, whoever connects is sent all that is retained on every topic that anybody subscribed
    to. Where somebody subscribes to one more topic meanwhile, the broker fails on the way, and never answers
    what the newcomer asks for on that connection.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._subscriptions = _Subscriptions()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(one.client_id == session.client_id for one, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class _Subscriptions(dict[str, list[tuple[Session, int]]]):
    """By topic filter; gone through as they were at first, so that one may be added on the way."""

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(super().__iter__()))
