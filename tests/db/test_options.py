"""Options belong to one caller each."""

from concurrent.futures import ThreadPoolExecutor

from myriad.db.database import Database
from myriad.db.options import read_option, set_option


def test_an_option_is_its_callers_own(db: Database) -> None:
    assert read_option(db, "model", scope="a") is None
    set_option(db, "model", "tiny", scope="a")
    set_option(db, "model", {"any": ["json"]}, scope="")
    set_option(db, "model", "large", scope="a")
    assert read_option(db, "model", scope="a") == "large"
    assert read_option(db, "model", scope="") == {"any": ["json"]}
    assert read_option(db, "model", scope="b") is None
    assert read_option(db, "other", scope="a") is None


def test_set_many_times_at_once_it_has_one_of_the_values(db: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda value: set_option(db, "model", value, scope="a"), range(8)))
    assert read_option(db, "model", scope="a") in range(8)
