"""The webhook process: works through delivery rows that are due."""

import random
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog

from myriad import clock
from myriad.db.deliveries import Delivery, settle_delivery, take_deliveries
from myriad.db.jobs import traceparent_of
from myriad.discretion import discreet
from myriad.errors import Unavailable
from myriad.farm import Farm, open_farm
from myriad.log import set_up_logging
from myriad.settings import load_settings
from myriad.webhook import Receipt, Sender, next_delay, sign
from tasks.event_body import event_body
from tasks.loop import pulse_path, repeat, stop_on_signals
from tasks.receivers import Receivers
from tasks.span import webhook_span

_AT_ONCE = 16
_POLL_S = 0.25

_log = structlog.get_logger(__name__)


class WebhookSender:
    """At least once, signed afresh at every try, `webhook-id` the same over all of them."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        settings = farm.settings
        self._sender = Sender(settings.webhook_allow, settings.webhook_timeout_s)
        self._lease_s = settings.webhook_timeout_s * 2 + 10
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")
        self._under_way: set[Future[None]] = set()
        self._receivers = Receivers(farm.redis)
        self._dice = random.Random()  # noqa: S311 - jitter

    def run(self) -> bool:
        """Begin to try what is due, without waiting for the slow; True if there was anything."""
        self._under_way = {future for future in self._under_way if not future.done()}
        begun = [self._begin(delivery) for delivery in self._take()]
        self._under_way |= set(begun)
        # Room for the next comes when one of them ends, not when the pause is over.
        ended, _ = wait(self._under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        return bool(begun or ended)

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown()

    def _take(self) -> list[Delivery]:
        free = _AT_ONCE - len(self._under_way)
        if not free:
            return []
        room = self._receivers.room()
        return take_deliveries(self._farm.db, room=room, limit=free, lease_s=self._lease_s)

    def _begin(self, delivery: Delivery) -> Future[None]:
        self._receivers.begin(delivery.host)
        return self._threads.submit(self._deliver, delivery)

    def _deliver(self, delivery: Delivery) -> None:
        is_well = None
        with discreet((delivery.url,)):
            try:
                receipt = self._post(delivery)
                is_well = receipt.is_well
                self._settle(delivery, receipt)
            except Unavailable as error:
                # Its lease runs out, and another try is made: so with all that goes wrong here.
                _log.warning("webhook_not_tried", id=delivery.id, error=error.message)
            except Exception:
                _log.exception("webhook_not_tried", id=delivery.id, job=delivery.job_id)
            finally:
                self._receivers.end(delivery.host, is_well=is_well)

    def _post(self, delivery: Delivery) -> Receipt:
        body = self.body(delivery)
        headers = sign(self._farm.webhook_secret, delivery.id, body, clock.now())
        tracer, job_id = self._farm.tracer, delivery.job_id
        trace = traceparent_of(self._farm.db, job_id) if tracer.is_on else None
        with webhook_span(tracer, job_id, trace, delivery.tries) as span:
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            receipt = self._sender.post(delivery.url, body, headers)
            if not receipt.is_delivered:
                span.fail(str(receipt.status or "no_answer"))
        return receipt

    def _settle(self, delivery: Delivery, receipt: Receipt) -> None:
        settle_delivery(
            self._farm.db, delivery, receipt, lambda tries: next_delay(tries, self._dice)
        )
        _log.info(
            "webhook_tried",
            id=delivery.id,
            job=delivery.job_id,
            status=receipt.status,
            error=receipt.error,
        )

    def body(self, delivery: Delivery) -> bytes:
        """The exact bytes to sign and send: the event's name and the job as it stands."""
        return event_body(self._farm, delivery)


def main() -> None:
    settings = load_settings()
    set_up_logging(settings)
    farm = open_farm(settings)
    sender = WebhookSender(farm)
    repeat(
        sender.run,
        interval_s=_POLL_S,
        stop=stop_on_signals(),
        pulse=pulse_path(settings.home, "sender"),
    )
    sender.close()
    farm.close()


if __name__ == "__main__":
    main()
