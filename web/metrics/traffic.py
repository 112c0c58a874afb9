"""HTTP requests of this process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Traffic:
    """Routes, not paths: their number is known, and they name nobody."""

    def __init__(self, registry: CollectorRegistry, threads: int) -> None:
        self._requests = Counter(
            "myriad_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "myriad_http_request_seconds",
            "Until the answer, the wait of `Prefer: wait` included.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.under_way = Gauge(
            "myriad_http_requests_under_way", "Requests not yet answered.", registry=registry
        )
        # Told from the start, at nought: of a series that begins with 1 no increase is seen.
        self.internal_errors = Counter(
            "myriad_internal_errors", "Requests that failed by a defect of ours.", registry=registry
        )
        Gauge("myriad_http_threads", "Threads of this process.", registry=registry).set(threads)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the rule that matched."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
