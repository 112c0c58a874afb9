"""What AUTOMATIC1111's clients send: read as leniently as it does, unknown fields dropped."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _or(default: object) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


Text = Annotated[str, _or("")]
One = Annotated[int, _or(1)]


class Txt2Img(BaseModel):
    """The fields that this farm acts on, and those whose absence it has to report.

    None of the others is kept, not even its name: some clients send their whole
    form, passwords included.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    prompt: Text = ""
    negative_prompt: Text = ""
    seed: Annotated[int, _or(-1)] = -1
    steps: int | None = None
    cfg_scale: float | None = None
    width: int | None = None
    height: int | None = None
    batch_size: One = 1
    n_iter: One = 1
    sampler_name: str | None = None
    sampler_index: str | None = None
    scheduler: Text = ""
    override_settings: Annotated[dict[str, Any], _or({})] = {}
    send_images: Annotated[bool, _or(True)] = True

    styles: list[Any] | None = None
    subseed_strength: float | None = None
    seed_resize_from_h: int | None = None
    seed_resize_from_w: int | None = None
    restore_faces: bool | None = None
    tiling: bool | None = None
    enable_hr: bool | None = None
    eta: float | None = None
    s_churn: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    script_name: str | None = None
    alwayson_scripts: dict[str, Any] | None = None
    refiner_checkpoint: str | None = None

    @property
    def neutral(self) -> Mapping[str, tuple[object, ...]]:
        """Fields this farm does nothing with, and the values at which nothing is lost."""
        return _NEUTRAL

    @property
    def ignored(self) -> list[str]:
        """Fields that ask for what this farm does not do."""
        return [
            name
            for name, values in self.neutral.items()
            if (asked := getattr(self, name)) is not None and asked not in values
        ]

    def without_pictures(self) -> Self:
        """The same for the time of the wait, without the fields that may hold pictures."""
        return self.model_copy(update={"alwayson_scripts": None})


class Img2Img(Txt2Img):
    """The same, with a picture to start from and perhaps a mask."""

    init_images: list[Any] | None = None
    mask: str | None = None
    denoising_strength: Annotated[float, _or(0.75)] = 0.75
    inpainting_mask_invert: Annotated[int, _or(0)] = 0

    resize_mode: int | None = None
    mask_blur: int | None = None
    inpainting_fill: int | None = None
    initial_noise_multiplier: float | None = None

    @property
    def neutral(self) -> Mapping[str, tuple[object, ...]]:
        return _NEUTRAL | (_NEUTRAL_MASKED if self.mask else {}) | _NEUTRAL_IMG2IMG

    def without_pictures(self) -> Self:
        return super().without_pictures().model_copy(update={"init_images": None, "mask": None})


# What AUTOMATIC1111 does when the field is left out comes first.
_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
    "styles": ([],),
    "subseed_strength": (0,),
    "seed_resize_from_h": (-1, 0),
    "seed_resize_from_w": (-1, 0),
    "restore_faces": (False,),
    "tiling": (False,),
    "enable_hr": (False,),
    "eta": (0, 1),
    "s_churn": (0,),
    "s_tmin": (0,),
    "s_noise": (1,),
    "script_name": ("", "None"),
    "alwayson_scripts": ({},),
    "refiner_checkpoint": ("", "None"),
}
_NEUTRAL_IMG2IMG: Final[dict[str, tuple[object, ...]]] = {
    "resize_mode": (0,),
    "initial_noise_multiplier": (1,),
}
_NEUTRAL_MASKED: Final[dict[str, tuple[object, ...]]] = {
    "mask_blur": (4, 0),
    "inpainting_fill": (0, 1),
}
