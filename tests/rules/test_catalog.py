"""The catalogue's file: what it offers, and what it is refused for."""

from pathlib import Path

import pytest

from myriad.catalog import Catalog, load_catalog
from myriad.errors import ConfigError
from myriad.mode import Mode
from tests.rules.conftest import CATALOG, write_catalog


def test_a_refiner_is_not_offered_by_itself(catalog: Catalog) -> None:
    assert list(catalog) == ["base", "film", "flow"]
    assert list(catalog.refiners) == list(catalog.refiners_of(catalog["base"])) == ["polish"]
    assert catalog.refiners_of(catalog["flow"]) == {}


def test_each_model_has_its_own_additions(catalog: Catalog) -> None:
    assert list(catalog.loras_of(catalog["base"])) == ["ink", "gold"]
    assert list(catalog.loras_of(catalog["flow"])) == ["gold"]
    assert list(catalog.controlnets_of(catalog["base"])) == ["edges"]
    assert catalog.controlnets_of(catalog["flow"]) == {}


def test_sources_are_found_beside_the_file(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog["base"].source == catalog["film"].tiny_vae == str(tmp_path / "weights")
    assert catalog.loras["ink"].source == str(tmp_path / "ink.safetensors")
    assert catalog["flow"].source == "org/flow"


def test_a_fingerprint_follows_the_bytes(catalog: Catalog, tmp_path: Path) -> None:
    before = catalog.loras["ink"].fingerprint
    assert catalog["flow"].fingerprint == "abc"
    (tmp_path / "ink.safetensors").write_bytes(b"other ink")
    assert load_catalog(tmp_path / "catalog.toml").loras["ink"].fingerprint != before


def test_a_scheduler_left_out_is_the_family_s(catalog: Catalog) -> None:
    schedulers = {name: model.defaults.scheduler for name, model in catalog.items()}
    assert schedulers == {
        "base": "DPMSolverMultistepScheduler",
        "film": "UniPCMultistepScheduler",
        "flow": "FlowMatchEulerDiscreteScheduler",
    }


def test_a_model_of_one_frame_makes_no_video(catalog: Catalog) -> None:
    assert catalog["film"].modes == {Mode.TEXT_TO_IMAGE, Mode.TEXT_TO_VIDEO}
    still = catalog["film"].limits.model_copy(update={"max_frames": 1})
    assert catalog["film"].model_copy(update={"limits": still}).modes == {Mode.TEXT_TO_IMAGE}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lists no"),
        ("[[modle]]", "no table modle"),
        ('[[model]]\nname = "a"\nfamily = "x"\nsource = "weights"', "no family 'x'"),
        ('[[model]]\nname = "a"\nfamily = "sd"\nsource = "org/a"', "needs a revision"),
        (
            '[[model]]\nname = "a"\nfamily = "sdxl-refiner"\nsource = "weights"',
            "refiner_of belongs",
        ),
        (
            '[[model]]\nname = "a"\nfamily = "sd"\nsource = "weights"\nrefiner_of = ["b"]',
            "refiner_of belongs",
        ),
        (
            '[[model]]\nname = "a"\nfamily = "flux"\nsource = "weights"\n'
            '[model.defaults]\nscheduler = "DDIM"',
            "scheduler must be one of FlowMatch",
        ),
        (
            '[[model]]\nname = "a"\nfamily = "wan"\nsource = "weights"\n'
            "[model.defaults]\nnum_frames = 16\n"
            "[model.limits]\nmax_frames = 81\nframe_multiple = 4",
            "num_frames is beyond",
        ),
        (
            '[[model]]\nname = "a"\nfamily = "sd"\nsource = "weights"\ntiny_vae = "org/taesd"',
            "a.tiny_vae",
        ),
    ],
)
def test_a_bad_file_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as raised:
        load_catalog(write_catalog(tmp_path, text))
    assert "catalog.toml" in raised.value.message


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ('[[lora]]\nname = "x"\nsource = "weights"\nmodels = ["none"]', "none, which is not"),
        ('[[lora]]\nname = "x"\nsource = "weights"\nmodels = ["film"]', "takes none of its kind"),
        ('[[lora]]\nname = "x"\nsource = "weights"\nmodels = []', "at least 1"),
        ('[[lora]]\nname = "ink"\nsource = "weights"\nmodels = ["base"]', "one name"),
        ('[[lora]]\nname = "x"\nsource = "org/x"\nmodels = ["base"]', "needs a revision"),
        ('[[controlnet]]\nname = "x"\nsource = "weights"\nmodels = ["flow"]', "takes none"),
    ],
)
def test_a_bad_addition_is_told(tmp_path: Path, entry: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_catalog(write_catalog(tmp_path, f"{CATALOG}\n{entry}\n"))
