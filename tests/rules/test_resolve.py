"""What may be asked of which model, and how the rest is filled in."""

from typing import Any

import pytest

from myriad.cache_key import cache_key, fingerprints
from myriad.catalog import Catalog
from myriad.errors import InvalidRequest
from myriad.mode import Mode
from myriad.params import GenerationParams
from myriad.resolve import resolve

A, B = "a" * 64, "b" * 64


def asked(catalog: Catalog, model: str = "base", **values: Any) -> GenerationParams:
    return resolve({"prompt": "a circle", "seed": 1, **values}, catalog[model], catalog)


def test_nothing_asked_is_a_picture_from_text(catalog: Catalog) -> None:
    params = asked(catalog)
    assert params.mode is Mode.TEXT_TO_IMAGE
    assert (params.strength, params.fps, params.num_frames) == (None, None, 1)
    assert (params.output_format, params.input_digests) == ("png", ())


def test_strength_is_the_model_s_and_whole_for_inpainting(catalog: Catalog) -> None:
    params = asked(catalog, image=A)
    assert (params.mode, params.strength) == (Mode.IMAGE_TO_IMAGE, 0.6)
    assert asked(catalog, image=A, strength=0.3).strength == 0.3
    params = asked(catalog, image=A, mask=B)
    assert (params.mode, params.strength) == (Mode.INPAINTING, 1.0)


def test_a_video_is_an_mp4(catalog: Catalog) -> None:
    params = asked(catalog, "film", num_frames=5)
    assert (params.mode, params.output_format, params.fps) == (Mode.TEXT_TO_VIDEO, "mp4", 8)
    assert asked(catalog, "film", num_frames=81, fps=24).fps == 24
    assert asked(catalog, "film").mode is Mode.TEXT_TO_IMAGE


def test_inputs_are_listed_once_and_by_field(catalog: Catalog) -> None:
    nets = [{"model": "edges", "image": B}, {"model": "edges", "image": A, "scale": 0.5}]
    params = asked(catalog, image=A, controlnets=nets)
    assert params.input_digests == (A, B)
    assert params.inputs == {"image": A, "controlnets.0.image": B, "controlnets.1.image": A}
    assert [net.scale for net in params.controlnets] == [1.0, 0.5]


def test_json_and_back(catalog: Catalog) -> None:
    params = asked(
        catalog,
        controlnets=[{"model": "edges", "image": A}],
        loras=[{"name": "ink"}, {"name": "gold", "scale": -1}],
        refiner={"model": "polish"},
        reproducible=True,
    )
    assert GenerationParams.from_json(params.to_json()) == params


def test_rows_of_older_releases_still_read(catalog: Catalog) -> None:
    values = asked(catalog).to_json()
    young = ("image", "strength", "mask", "controlnets", "loras", "refiner", "num_frames", "fps")
    old = {name: value for name, value in values.items() if name not in young}
    assert GenerationParams.from_json(old).to_json() == values


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("base", {"mask": A}, "mask"),
    ("base", {"strength": 0.5}, "strength"),
    ("base", {"image": A, "strength": 0}, "strength"),
    ("base", {"image": A, "strength": 1.1}, "strength"),
    ("base", {"image": A, "strength": 0.09}, "strength"),
    ("base", {"image": "A" * 64}, "image"),
    ("base", {"image": f"{A}\n"}, "image"),
    ("base", {"image": A[:-1]}, "image"),
    ("base", {"num_frames": 5}, "num_frames"),
    ("base", {"fps": 8}, "fps"),
    ("base", {"output_format": "mp4"}, "output_format"),
    ("base", {"scheduler": "FlowMatchEulerDiscrete"}, "scheduler"),
    ("base", {"loras": [{"name": "none"}]}, "loras.0.name"),
    ("base", {"loras": [{"name": "ink"}, {"name": "ink"}]}, "loras.1.name"),
    ("base", {"loras": [{"name": "ink", "scale": 9}]}, "loras.0.scale"),
    ("base", {"loras": [{"name": "ink", "weight": 1}]}, "loras.0.weight"),
    ("base", {"loras": [{"name": "ink"}] * 9}, "loras"),
    ("base", {"loras": "ink"}, "loras"),
    ("base", {"controlnets": [{"model": "none", "image": A}]}, "controlnets.0.model"),
    ("base", {"controlnets": [{"model": "edges"}]}, "controlnets.0.image"),
    ("base", {"controlnets": [{"model": "edges", "image": A}] * 5}, "controlnets"),
    ("base", {"controlnets": [{"model": "edges", "image": A, "scale": -1}]}, "controlnets.0.scale"),
    ("base", {"refiner": {"model": "base"}}, "refiner.model"),
    ("base", {"refiner": {"model": "polish"}, "image": A}, "refiner"),
    ("base", {"refiner": {"model": "polish", "denoising_start": 1}}, "refiner.denoising_start"),
    ("base", {"refiner": {"model": "polish", "denoising_start": 0.95}}, "refiner.denoising_start"),
    ("flow", {"mask": A, "image": A}, "mask"),
    ("flow", {"loras": [{"name": "ink"}]}, "loras.0.name"),
    ("flow", {"controlnets": [{"model": "edges", "image": A}]}, "controlnets"),
    ("flow", {"refiner": {"model": "polish"}}, "refiner.model"),
    ("film", {"image": A}, "image"),
    ("film", {"image": A, "num_frames": 5}, "image"),
    ("film", {"num_frames": 6}, "num_frames"),
    ("film", {"num_frames": 85}, "num_frames"),
    ("film", {"num_frames": 0}, "num_frames"),
    ("film", {"num_frames": 5, "fps": 61}, "fps"),
    ("film", {"num_frames": 5, "output_format": "png"}, "output_format"),
    ("film", {"loras": [{"name": "ink"}]}, "loras.0.name"),
    ("base", {"reproducible": 1}, "reproducible"),
]


@pytest.mark.parametrize(("model", "values", "field"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_is_refused_by_name(
    catalog: Catalog, model: str, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        asked(catalog, model, **values)
    assert raised.value.field == field


def test_an_error_lists_the_choices(catalog: Catalog) -> None:
    with pytest.raises(InvalidRequest, match="one of ink, gold"):
        asked(catalog, loras=[{"name": "none"}])
    with pytest.raises(InvalidRequest, match="not do inpainting, but image-to-image, "):
        asked(catalog, "flow", image=A, mask=B)


def test_every_picture_changing_thing_changes_the_key(catalog: Catalog) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"image": A},
        {"image": B},
        {"image": A, "strength": 0.5},
        {"image": A, "mask": B},
        {"loras": [{"name": "ink"}]},
        {"loras": [{"name": "ink", "scale": 0.5}]},
        {"loras": [{"name": "ink"}, {"name": "gold"}]},
        {"controlnets": [{"model": "edges", "image": A}]},
        {"controlnets": [{"model": "edges", "image": B}]},
        {"refiner": {"model": "polish"}},
        {"reproducible": True},
    ]
    model = catalog["base"]
    keys = set()
    for values in variants:
        params = asked(catalog, **values)
        keys.add(cache_key(params, model, fingerprints(params, model, catalog)).exact)
    assert len(keys) == len(variants)


def test_other_weights_under_one_name_change_the_key(catalog: Catalog) -> None:
    params, model = asked(catalog, loras=[{"name": "ink"}]), catalog["base"]
    weights = fingerprints(params, model, catalog)
    assert set(weights) == {"model", "lora ink"}
    other = {**weights, "lora ink": "retrained"}
    assert cache_key(params, model, weights) != cache_key(params, model, other)
