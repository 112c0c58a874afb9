"""One run: orders and faults at once, then peace until all is done, then the evidence is kept."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import case, create_engine, func, select

from myriad import clock
from myriad.db.tables import LIVE, Base, ImageRow, JobRow, WebhookDeliveryRow
from myriad.errors import MyriadError
from tests.chaos.driver import Driver
from tests.chaos.order import make_order
from tests.chaos.saboteur import Saboteur
from tests.chaos.world import World

FINAL_DB = "final.db"
_FAR_S = 3.0
_READERS = 8

Say = Callable[[str], None]
_Left = tuple[int, int, datetime | None]


class Run:
    """Orders spread evenly over a time, beside faults. Use as a context manager."""

    def __init__(self, world: World, seed: int, say: Say = lambda line: None) -> None:
        self.world, self._seed, self._say = world, seed, say
        self.driver = Driver(world.url, world.history)
        self.saboteur = Saboteur(world, seed, self.driver.accepted)
        self._began = time.monotonic()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.close()

    def go(self, jobs: int, faults: list[str], over_s: float, poisons: int) -> None:
        """Ask for everything and break everything; returns when both are through."""
        webhook = self.world.receiver.url
        for number in range(jobs):
            order = make_order(number, self._seed, webhook, poisons, jobs)
            self.driver.ask(order, after_s=order.together_with * over_s / jobs)
        stop = Event()
        every_s = over_s / max(1, len(faults))
        breaking = Thread(target=self.saboteur.run, args=(faults, every_s, stop), daemon=True)
        breaking.start()
        self._watch(lambda: not breaking.is_alive() and self.driver.is_done)
        stop.set()
        breaking.join()

    def settle(self, patience_s: float) -> None:
        """Wait until no job and no webhook is under way, or nothing has moved for that long."""
        self.world.history.tell("peace")
        left, moved_at = None, time.monotonic()

        def is_over() -> bool:
            nonlocal left, moved_at
            now = self._left_or_none()
            if now != left:
                left, moved_at = now, time.monotonic()
            return self._is_settled() or time.monotonic() - moved_at > patience_s

        self._watch(is_over)
        self.world.history.tell("settled", is_all=self._is_settled())

    def keep_evidence(self) -> None:
        """Copy the database, and read every picture once, for the checker."""
        farm = self.world.farm
        with farm.db.read() as session:
            pictures = session.execute(select(ImageRow.storage_key).distinct()).scalars().all()
        with ThreadPoolExecutor(_READERS) as readers:
            list(readers.map(self._read_picture, pictures))
        copy_database(farm.settings.database, self.world.folder / FINAL_DB)

    def _read_picture(self, key: str) -> None:
        digest = hashlib.sha256(self.world.farm.storage.get(key)).hexdigest()
        self.world.history.tell("picture", key=key, sha256=digest)

    def _is_settled(self) -> bool:
        left = self._left_or_none()
        if left is None:
            return False
        live, pending, all_due_at = left
        if not live and pending and all_due_at is not None:
            self._hurry(all_due_at)
        return not live and not pending

    def _left_or_none(self) -> _Left | None:
        try:
            return self._left()
        except MyriadError:
            return None

    def _left(self) -> _Left:
        """Live jobs, webhooks that are owed, and when all of them may be tried."""
        row = WebhookDeliveryRow
        free_at = case((row.lease_until > row.next_attempt_at, row.lease_until))
        due = select(func.count(), func.max(func.coalesce(free_at, row.next_attempt_at)))
        due = due.where(row.state == "pending")
        with self.world.farm.db.read() as session:
            live = session.scalar(select(func.count()).where(JobRow.state.in_(LIVE))) or 0
            owed, all_due_at = session.execute(due).one()
        return live, owed, all_due_at

    def _hurry(self, all_due_at: datetime) -> None:
        """What is left is webhooks that pause for long: let the time pass for the farm."""
        ahead_s = (all_due_at - clock.now()).total_seconds() - self.world.clock.offset_s
        if ahead_s > _FAR_S:
            self.world.clock.set(self.world.clock.offset_s + ahead_s + 1)
            self.world.history.tell("clock", offset_s=self.world.clock.offset_s)

    def _watch(self, is_over: Callable[[], bool]) -> None:
        said = time.monotonic()
        while not is_over():
            time.sleep(0.2)
            if time.monotonic() - said > 10:
                said = time.monotonic()
                self._say(self._progress())

    def _progress(self) -> str:
        left = self._left_or_none()
        told = f"{left[0]} live, {left[1]} webhooks owed" if left else "the database is away"
        passed_s = round(time.monotonic() - self._began)
        accepted, kills = len(self.driver.accepted), self.saboteur.kills
        return f"{passed_s:>5} s  {accepted} accepted, {told}, {kills} kills"


def copy_database(url: str, path: Path) -> None:
    """Every row of the farm's tables into an SQLite file."""
    path.unlink(missing_ok=True)
    source, target = create_engine(url), create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(target)
    with source.connect() as reading, target.begin() as writing:
        for table in Base.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in reading.execute(select(table))]
            if rows:
                writing.execute(table.insert(), rows)
    source.dispose()
    target.dispose()
