"""Graphs held against the nodes' forms: what is wrong is told, and nothing else can happen."""

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from myriad.catalog import load_catalog
from tests.doors.comfyui_graphs import (
    Graph as Nodes,
)
from tests.doors.comfyui_graphs import (
    image_to_image,
    inpaint,
    node,
    text_to_image,
    with_controlnet,
    with_lora,
)
from web.doors.comfyui.graph import Graph
from web.doors.comfyui.mask import grown
from web.doors.comfyui.nodes import NODES
from web.doors.comfyui.offer import offer_of
from web.doors.comfyui.plan import Plan, plan_of, stretched
from web.doors.comfyui.problem import GraphRefused
from web.doors.comfyui.value import Mask

CATALOG = load_catalog()
FILE, ALPHA = "a" * 64, "b" * 64
NAME = f"{FILE}-{ALPHA}.png"


def plan(graph: object) -> Plan:
    return plan_of(Graph(graph, offer_of(CATALOG)), CATALOG)


def refusal(graph: object) -> dict[str, Any]:
    with pytest.raises(GraphRefused) as refused:
        plan(graph)
    return refused.value.to_json()


def test_the_default_workflow_is_one_request() -> None:
    found = plan(text_to_image("a red circle"))
    assert found.values == {
        "prompt": "a red circle",
        "negative_prompt": None,
        "guidance_scale": 3.5,
        "seed": 7,
        "num_images": 4,
        "loras": [],
        "model": "myriad-shapes",
        "scheduler": "DPMSolverMultistepScheduler",
        "output_format": "png",
        "num_inference_steps": 12,
        "width": 128,
        "height": 128,
    }
    assert (found.sampler, found.decoder, found.outputs) == ("3", "8", ("9",))


def test_every_stock_workflow_says_what_it_means() -> None:
    over = plan(image_to_image("x", NAME, 0.6))
    assert over.values["image"] == FILE
    assert (over.values["num_inference_steps"], over.mask) == (20, None)
    assert int(20 * over.values["strength"]) == 12
    assert plan(inpaint("x", NAME)).mask == Mask(ALPHA, grow_px=2)
    assert plan(with_lora("x", "shapes-night")).values["loras"] == [
        {"name": "shapes-night", "scale": 1.0}
    ]
    assert plan(with_controlnet("x", "shapes-edges", f"{FILE}.png")).values["controlnets"] == [
        {"model": "shapes-edges", "image": FILE, "scale": 1.0}
    ]


def test_the_other_nodes_say_the_same_in_other_words() -> None:
    graph = with_lora("x", "shapes-night")
    graph["10"] = node(
        "LoraLoaderModelOnly", lora_name="shapes-night", strength_model=0.5, model=["4", 0]
    )
    graph["6"]["inputs"]["clip"] = graph["7"]["inputs"]["clip"] = ["11", 0]
    graph["11"] = node("CLIPSetLastLayer", stop_at_clip_layer=-1, clip=["4", 1])
    graph["12"] = node("LoadImage", image=NAME)
    graph["13"] = node("VAEEncode", pixels=["12", 0], vae=["4", 2])
    graph["14"] = node("LoadImageMask", image=f"{FILE}.png", channel="red")
    graph["15"] = node("InvertMask", mask=["14", 0])
    graph["5"] = node("SetLatentNoiseMask", samples=["13", 0], mask=["15", 0])
    inputs = graph["3"]["inputs"]
    inputs.pop("denoise")
    graph["3"] = node(
        "KSamplerAdvanced",
        add_noise="enable",
        noise_seed=inputs.pop("seed"),
        start_at_step=4,
        end_at_step=10_000,
        return_with_leftover_noise="disable",
        **{**inputs, "steps": 10},
    )
    found = plan(graph)
    assert found.mask == Mask(FILE, "R", is_inverted=True)
    assert found.values["num_inference_steps"] == 10
    assert int(10 * found.values["strength"]) == 6
    assert found.values["loras"] == [{"name": "shapes-night", "scale": 0.5}]


@given(st.integers(1, 150), st.floats(0.01, 1))
def test_as_many_steps_are_run_as_were_asked_for(steps: int, denoise: float) -> None:
    total, strength = stretched(steps, denoise, most=10**9)
    assert int(total * strength) == steps
    assert strength <= 1
    assert stretched(steps, denoise, most=150)[0] <= 150


def test_hardly_any_denoising_is_not_infinitely_many_steps() -> None:
    assert stretched(20, 1e-320, most=150) == (150, 1e-320)
    assert stretched(150, 150 / 150.5, most=150)[0] == 150


@pytest.mark.parametrize("pixels", [0, 1, 6, 64])
def test_a_mask_grows_by_as_many_pixels(pixels: int) -> None:
    mask = Image.new("L", (200, 200))
    mask.putpixel((100, 100), 255)
    assert grown(mask, pixels).getbbox() == (
        100 - pixels,
        100 - pixels,
        101 + pixels,
        101 + pixels,
    )


def changed(node_id: str, **inputs: Any) -> Nodes:
    graph = text_to_image("x")
    graph[node_id]["inputs"] |= inputs
    return graph


def without(node_id: str, name: str) -> Nodes:
    graph = text_to_image("x")
    del graph[node_id]["inputs"][name]
    return graph


@pytest.mark.parametrize(
    ("graph", "culprit", "kind"),
    [
        (without("3", "seed"), "3", "required_input_missing"),
        (changed("3", steps="many"), "3", "invalid_input_type"),
        (changed("3", steps=float("inf")), "3", "invalid_input_type"),
        (changed("3", steps=0), "3", "value_smaller_than_min"),
        (changed("5", width=10**9), "5", "value_bigger_than_max"),
        (changed("3", sampler_name="ddpm"), "3", "value_not_in_list"),
        (changed("3", scheduler="karras"), "3", "value_not_in_list"),
        (changed("4", ckpt_name="v1-5.ckpt"), "4", "value_not_in_list"),
        (changed("3", model=["6", 0]), "3", "return_type_mismatch"),
        (changed("3", model=["99", 0]), "3", "bad_linked_input"),
        (changed("3", model=["4", 3]), "3", "bad_linked_input"),
        (changed("3", model=["4", True]), "3", "bad_linked_input"),
        (changed("3", model=[["4"], 0]), "3", "bad_linked_input"),
        (changed("3", model="4"), "3", "bad_linked_input"),
        (changed("3", latent_image=["3", 0]), "3", "dependency_cycle"),
        (changed("3", denoise=0.5), "3", "custom_validation_failed"),
        (changed("8", samples=["5", 0]), "8", "custom_validation_failed"),
        (image_to_image("x", "../../etc/passwd", 0.5), "10", "custom_validation_failed"),
        (inpaint("x", f"{FILE}.png"), "5", "custom_validation_failed"),
    ],
)
def test_what_is_wrong_is_told_of_the_node_it_is_wrong_with(
    graph: Nodes, culprit: str, kind: str
) -> None:
    body = refusal(graph)
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    found = body["node_errors"][culprit]
    assert found["class_type"] == graph[culprit]["class_type"]
    assert kind in [error["type"] for error in found["errors"]]
    assert f"{found['class_type']} {culprit}: " in body["error"]["details"]


@pytest.mark.parametrize(
    ("graph", "kind"),
    [
        (None, "no_prompt"),
        ([], "no_prompt"),
        ({}, "prompt_no_outputs"),
        ({"1": {}}, "invalid_prompt"),
        ({"1": 3}, "invalid_prompt"),
        ({"1": {"class_type": "SaveImage", "inputs": []}}, "invalid_prompt"),
        ({"1" * 41: {"class_type": "SaveImage"}}, "invalid_prompt"),
        ({str(n): {"class_type": "SaveImage"} for n in range(101)}, "invalid_prompt"),
    ],
)
def test_what_is_no_graph_is_refused_as_a_whole(graph: object, kind: str) -> None:
    assert refusal(graph)["error"]["type"] == kind


def test_a_second_sampler_is_refused_where_it_is() -> None:
    graph = text_to_image("x")
    graph |= {f"1{name}": deepcopy(graph[name]) for name in ("3", "8", "9")}
    graph["18"]["inputs"]["samples"] = ["13", 0]
    graph["19"]["inputs"]["images"] = ["18", 0]
    assert set(refusal(graph)["node_errors"]) == {"19"}
    del graph["19"]
    graph["13"]["inputs"]["latent_image"] = ["3", 0]
    graph["9"]["inputs"]["images"] = ["18", 0]
    assert set(refusal(graph)["node_errors"]) == {"13"}


_IDS = st.sampled_from(["1", "2", "3", "4"])
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["myriad-shapes", "euler", "normal", NAME, "enable", "disable", "red"]),
    st.lists(st.one_of(_IDS, st.integers(-1, 3), st.none()), max_size=3),
    st.tuples(_IDS, st.integers(0, 2)).map(list),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
)


def _like(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    inputs = dict.fromkeys(NODES[kind].inputs, _VALUES)
    return st.fixed_dictionaries(
        {"class_type": st.just(kind), "inputs": st.fixed_dictionaries({}, optional=inputs)}
    )


_NODES = st.sampled_from(sorted(NODES)).flatmap(_like)


@given(st.dictionaries(_IDS, _NODES, max_size=4), st.dictionaries(_IDS, _NODES, max_size=2))
def test_no_graph_does_harm(some: Nodes, more: Nodes) -> None:
    for graph in (some, text_to_image("x") | more):
        with suppress(GraphRefused):
            assert plan(graph).values["model"] in CATALOG
