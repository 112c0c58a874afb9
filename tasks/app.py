"""The Celery app: a carrier of hints, with every default that could lose work turned off."""

from celery import Celery

from myriad.job import Stage
from myriad.settings import Settings

_VISIBILITY_S = 3600


def task_name(stage: Stage) -> str:
    """Name of the Celery task that does `stage`."""
    return f"myriad.{stage.value}"


def create_celery(settings: Settings) -> Celery:
    """An app on the farm's broker. docs/decisions/0001 gives the reason of each setting."""
    app = Celery("myriad", broker=settings.redis, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_acks_on_failure=True,
        task_acks_on_timeout=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_pool_start_method="spawn",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_acquire_timeout=5,
        broker_transport_options={
            # Longer than any stage: recovery comes from leases, not from redelivery.
            "visibility_timeout": _VISIBILITY_S,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
        },
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2},
    )
    return app
