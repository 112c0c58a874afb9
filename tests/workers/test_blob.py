"""Every value and every bit that goes into a blob comes out of it, or none does."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.errors import ArtifactMissing
from workers import blob

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-9, 9)
keys = st.text().filter(lambda key: key != "$tensor")
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner))


@given(trees)
@settings(deadline=None, max_examples=25, database=None)
def test_plain_values_come_back(tree: Any) -> None:
    assert blob.load(blob.dump(tree)) == tree


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (2, 4, 3, 5)])
def test_tensors_come_back_bit_for_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = (torch.randn(shape) * 9).to(dtype)
    back = blob.load(blob.dump({"a": [tensor, None], "n": 1}))
    assert back["n"] == 1
    assert back["a"][0].dtype is dtype
    assert torch.equal(back["a"][0], tensor)


def test_memory_format_comes_back() -> None:
    last = torch.randn(2, 4, 3, 5).to(memory_format=torch.channels_last)
    video = torch.randn(2, 4, 3, 5, 6).to(memory_format=torch.channels_last_3d)
    back_last, back_video, view = blob.load(blob.dump([last, video, last.transpose(0, 1)]))
    assert torch.equal(back_last, last)
    assert back_last.stride() == last.stride()
    assert back_video.stride() == video.stride()
    assert torch.equal(view, last.transpose(0, 1))


def test_names_keep_their_tensors_beyond_ten() -> None:
    tree = {f"t{place}": torch.full((2,), place) for place in range(25)}
    back = blob.load(blob.dump(tree))
    assert all(torch.equal(back[name], tensor) for name, tensor in tree.items())


def test_equal_trees_make_equal_bytes() -> None:
    tree = {"a": torch.arange(3), "b": [torch.ones(2), "text"]}
    assert len({blob.dump(tree) for _ in range(5)}) == 1


def test_shared_tensors_travel() -> None:
    tensor = torch.randn(4)
    first, second = blob.load(blob.dump([tensor, tensor]))
    assert torch.equal(first, tensor)
    assert torch.equal(second, tensor)


@given(st.data())
@settings(deadline=None, max_examples=60, database=None)
def test_a_damaged_blob_is_missing_never_wrong(data: st.DataObject) -> None:
    whole = blob.dump({"latents": torch.arange(12.0), "steps": 4})
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:place]
    else:
        flipped = whole[place] ^ data.draw(st.integers(1, 255))
        damaged = whole[:place] + bytes([flipped]) + whole[place + 1 :]
    try:
        back = blob.load(damaged)
    except ArtifactMissing:
        return
    # A change that JSON does not see, such as other white space in the header.
    assert back["steps"] == 4
    assert torch.equal(back["latents"], torch.arange(12.0))


@pytest.mark.parametrize("junk", [b"", b"\x80\x04N.", b"\0" * 64, b"x" * 1000])
def test_foreign_bytes_are_a_missing_artifact(junk: bytes) -> None:
    with pytest.raises(ArtifactMissing):
        blob.load(junk)


@pytest.mark.parametrize("value", [{1: 2}, {"$tensor": "0"}, object(), {"a": {3}}])
def test_only_a_tree_of_values_is_taken(value: Any) -> None:
    with pytest.raises(TypeError):
        blob.dump(value)
