"""The webhook process: works through delivery rows that are due."""

import json
import random
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from myriad import clock
from myriad.db.deliveries import Delivery, settle_delivery, take_deliveries
from myriad.db.jobs import find_job
from myriad.farm import Farm, open_farm
from myriad.log import set_up_logging
from myriad.settings import load_settings
from myriad.status import job_view
from myriad.webhook import Receipt, Sender, next_delay, sign
from tasks.loop import pulse_path, repeat, stop_on_signals

_AT_ONCE = 8
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
        self._dice = random.Random()  # noqa: S311 - jitter

    def run(self) -> bool:
        """Begin to try what is due, without waiting for the slow; True if there was anything."""
        self._under_way = {future for future in self._under_way if not future.done()}
        free = _AT_ONCE - len(self._under_way)
        due = take_deliveries(self._farm.db, limit=free, lease_s=self._lease_s) if free else []
        self._under_way |= {self._threads.submit(self._deliver, delivery) for delivery in due}
        return bool(due)

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown()

    def _deliver(self, delivery: Delivery) -> None:
        try:
            self._settle(delivery, self._post(delivery))
        except Exception:
            # Its lease runs out, and another try is made.
            _log.exception("webhook_not_tried", id=delivery.id, job=delivery.job_id)

    def _post(self, delivery: Delivery) -> Receipt:
        body = self.body(delivery)
        headers = sign(self._farm.webhook_secret, delivery.id, body, clock.now())
        return self._sender.post(delivery.url, body, headers)

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
        record = find_job(self._farm.db, delivery.job_id, scope=None)
        base_url = self._farm.base_url
        view = job_view(
            record,
            fraction=0.0,
            link=lambda image: self._farm.picture_url(image, base_url),
            base_url=base_url,
        )
        event = {"type": f"job.{delivery.kind.value}", "sequence": delivery.sequence, "data": view}
        return json.dumps(event, ensure_ascii=False).encode()


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
