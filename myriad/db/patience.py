"""A PostgreSQL connection that does not wait for ever."""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus


class PatientConnection(psycopg.Connection[Any]):
    """Gives up on a server that has said nothing for `patience_s` seconds.

    The server's own `statement_timeout` is no help where the server itself is frozen
    (a stopped container, a disk that hangs): its kernel still acknowledges every
    packet, so that no timeout of TCP strikes either.
    """

    patience_s: float = 60.0
    ping_s: float = 3.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, with a limit; raises OperationalError and closes the connection."""
        # Only the pool's question whether a connection still lives is asked outside a transaction.
        limit_s = self.ping_s if self.autocommit else self.patience_s
        try:
            return super().wait(gen, interval, limit_s if timeout is None else timeout)
        except psycopg.OperationalError:
            # An answer that is still to come would be taken for that of the next statement.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
