"""`python -m tests.hostile --requests 10000 --seed 1`: the long run, over real sockets."""

import sys
import tempfile
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

import click

from myriad.db.migrate import upgrade
from myriad.embedded import EmbeddedValkey
from myriad.log import set_up_logging
from myriad.settings import Settings
from tests.hostile.generate import hostile, routes_of
from tests.hostile.place import LIMITS, known_on, served
from tests.hostile.sample import Known
from tests.hostile.schema import examine
from tests.hostile.tally import Tally
from tests.hostile.wire import ask_over, misframed
from tests.web.conftest import make_home
from web import create_app

_WARM_UP = 500
_HANG_S = 5.0
_MOST_GROWTH = 100 * 2**20
_SHOWN = 20


@click.command()
@click.option("--requests", default=10_000, show_default=True, help="Malformed requests; 0: none.")
@click.option(
    "--schemathesis", "examples", default=0, help="Requests to each route of the OpenAPI document."
)
@click.option("--seed", default=1, show_default=True)
def main(requests: int, examples: int, seed: int) -> None:
    """Attack a farm of its own and say how it stood."""
    set_up_logging(Settings(log_level="error"))
    with tempfile.TemporaryDirectory() as folder:
        settings = _farm(Path(folder))
        valkey = EmbeddedValkey(Path(folder))
        valkey.start()
        settings = settings.model_copy(update={"redis_url": valkey.url})
        try:
            is_well = not requests or _attack(settings, requests, seed)
            is_well &= not examples or examine(settings, examples, seed, click.echo)
        finally:
            valkey.stop()
    sys.exit(not is_well)


def _farm(folder: Path) -> Settings:
    upgrade(f"sqlite:///{folder / 'template.db'}")
    (folder / "home").mkdir()
    home = make_home(folder / "home", folder / "template.db")
    return Settings(home=home, catalog=home / "catalog.toml", **LIMITS)


def _attack(settings: Settings, requests: int, seed: int) -> bool:
    """Whether every request was answered as it should be, in memory that stays the same."""
    routes, rng, tally = routes_of(create_app(settings).url_map), Random(seed), Tally(_HANG_S)
    with served(settings.home, settings.redis_url, settings.home) as place:
        ask = partial(ask_over, place.url)
        known: Known = known_on(ask, settings)
        before = 0
        for number, asked in enumerate(islice(hostile(routes, known, rng), requests)):
            if number == min(_WARM_UP, requests // 2):
                before = place.resident_bytes
            framed = misframed(asked, rng)
            tally.note(framed, ask(framed))
        growth = place.resident_bytes - before
        is_alive = place.process.poll() is None
    click.echo(tally.report())
    click.echo(f"memory grew by {growth / 2**20:+.1f} MiB after the first {_WARM_UP} requests")
    for failure in tally.failures[:_SHOWN]:
        click.echo(failure)
    return is_alive and not tally.failures and growth < _MOST_GROWTH


if __name__ == "__main__":
    main()
