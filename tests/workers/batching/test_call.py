"""Which calls may share a batch, and what the batch then looks like."""

import torch

from workers.batching.call import Call, CallSpec, make_call
from workers.batching.join import join, split

LISTS = CallSpec(
    rows="x",
    timestep=None,
    listed=frozenset({"x", "shapes"}),
    ragged=frozenset({"texts"}),
    listed_output=True,
)
GRID = CallSpec(timestep=None, same=frozenset({"ids"}))


def lists(*lengths: int, side: int = 4, strict: bool = False) -> Call:
    arguments = {
        "x": [torch.full((1, side), float(length)) for length in lengths],
        "texts": [torch.full((length, 2), float(length)) for length in lengths],
        "shapes": [[(1, side, side)] for _ in lengths],
    }
    return make_call(LISTS, 0, arguments, strict=strict)


def grid(rows: int, first: int) -> Call:
    ids = torch.arange(first, first + 6).reshape(1, 3, 2).expand(rows, -1, -1)
    return make_call(GRID, 0, {"hidden_states": torch.ones(rows, 3, 4), "ids": ids})


def test_ragged_items_share_a_batch_and_listed_ones_must_be_alike() -> None:
    assert lists(5).key == lists(3, 4).key
    assert lists(5).key != lists(5, side=8).key


def test_strict_calls_agree_on_every_length() -> None:
    assert lists(5, 3, strict=True).key == lists(5, 3, strict=True).key
    others = [lists(3, 5, strict=True), lists(5, strict=True), lists(5, 4, strict=True)]
    assert lists(5, 3, strict=True).key not in {other.key for other in others}


def test_a_bucket_repeats_the_rows_in_order() -> None:
    call = lists(5, 3)
    arguments = join([call], 4)
    assert [len(text) for text in arguments["texts"]] == [5, 3, 5, 3]
    [(answers,)] = split((arguments["x"],), [call], 4)
    assert [float(each.mean()) for each in answers] == [5, 3]


def test_id_grids_with_rows_are_told_apart_by_their_first_row() -> None:
    assert grid(1, 0).key == grid(2, 0).key
    assert grid(1, 0).key != grid(1, 7).key
    joined = join([grid(1, 0), grid(2, 0)])
    assert len(joined["hidden_states"]) == 3
    assert torch.equal(joined["ids"], grid(1, 0).arguments["ids"])


def test_a_bucket_has_one_layout_in_memory_whatever_the_calls_had() -> None:
    plain = torch.randn(4, 3, 8, 8)
    for given in (plain, plain.contiguous(memory_format=torch.channels_last)):
        call = make_call(CallSpec(timestep=None), 0, {"hidden_states": given})
        assert join([call], 4)["hidden_states"].is_contiguous()
