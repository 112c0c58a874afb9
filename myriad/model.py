"""A model of the catalogue: what it is, what it takes, and what a request gets by default."""

from collections.abc import Set
from functools import cached_property
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from myriad.family import FAMILIES, FamilyFacts
from myriad.mode import Mode
from myriad.scheduler import canonical_scheduler
from myriad.weights import Entry, Weights


class Defaults(Entry):
    """What a request gets when it does not say. An empty `scheduler` is the family's own.

    `strength` is for image-to-image; inpainting draws anew (1.0) unless asked otherwise.
    """

    width: int = 512
    height: int = 512
    num_inference_steps: int = 20
    guidance_scale: float = 7.5
    scheduler: str = ""
    strength: float = Field(0.8, gt=0, le=1)
    num_frames: int = Field(1, ge=1)
    fps: int = Field(16, ge=1)

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, name: str) -> str:
        known = canonical_scheduler(name) if name else ""
        if known is None:
            raise ValueError(f"unknown scheduler {name!r}")
        return known


class Limits(Entry):
    """What a request may ask for; sizes in pixels.

    A video has 1 + n * `frame_multiple` frames: 4 where the VAE packs four into one.
    """

    min_size: int = 64
    max_size: int = 2048
    size_multiple: int = 8
    max_pixels: int = 2048 * 2048
    max_steps: int = 150
    max_images: int = 8
    max_frames: int = Field(1, ge=1)
    frame_multiple: int = Field(1, ge=1)

    def takes_frames(self, num_frames: int) -> bool:
        """Whether that many frames can be asked for."""
        return 1 <= num_frames <= self.max_frames and num_frames % self.frame_multiple == (
            1 % self.frame_multiple
        )


class Model(Weights):
    """One [[model]]. `languages` are those its text encoder understands.

    `max_prompt_tokens` is what that encoder reads at once. `tiny_vae` is a folder or
    hub id (then with `tiny_vae_revision`) of an AutoencoderTiny for pools that
    decode with one; `safety_checker` the same of a StableDiffusionSafetyChecker, which
    then looks at every picture. An entry with `refiner_of` finishes the pictures of those models
    and is not offered by itself.
    """

    family: str
    description: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ("en",)
    max_prompt_tokens: int = 77
    refiner_of: tuple[str, ...] = ()
    tiny_vae: str = ""
    tiny_vae_revision: str = ""
    safety_checker: str = ""
    safety_checker_revision: str = ""
    limits: Limits = Field(Limits(), validate_default=True)
    defaults: Defaults = Field(Defaults(), validate_default=True)

    @field_validator("family")
    @classmethod
    def _known_family(cls, name: str) -> str:
        if name not in FAMILIES:
            raise ValueError(f"no family {name!r}; there are: {', '.join(FAMILIES)}")
        return name

    @field_validator("limits")
    @classmethod
    def _family_sizes(cls, limits: Limits, info: ValidationInfo) -> Limits:
        facts = FAMILIES.get(info.data.get("family", ""))
        if facts is None or limits.size_multiple % facts.size_multiple == 0:
            return limits
        if "size_multiple" not in limits.model_fields_set:
            return limits.model_copy(update={"size_multiple": facts.size_multiple})
        raise ValueError(f"size_multiple must be a multiple of {facts.size_multiple}")

    @field_validator("defaults")
    @classmethod
    def _family_scheduler(cls, defaults: Defaults, info: ValidationInfo) -> Defaults:
        facts = FAMILIES.get(info.data.get("family", ""))
        if facts is None:
            return defaults  # the family has been complained about
        if not defaults.scheduler:
            return defaults.model_copy(update={"scheduler": facts.default_scheduler})
        if defaults.scheduler not in facts.schedulers:
            raise ValueError(f"scheduler must be one of {', '.join(facts.schedulers)}")
        return defaults

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.facts.is_refiner != bool(self.refiner_of):
            raise ValueError("refiner_of belongs to a family of refiners, and only there")
        if not self.limits.takes_frames(self.defaults.num_frames):
            raise ValueError("defaults.num_frames is beyond limits.max_frames or frame_multiple")
        return self

    @cached_property
    def safety(self) -> Weights | None:
        """The weights of its safety checker, if it has one."""
        if not self.safety_checker:
            return None
        return Weights(
            name=self.name, source=self.safety_checker, revision=self.safety_checker_revision
        )

    @property
    def prompt_tokens(self) -> int:
        """How long a prompt may be, without the marks that its encoder puts around a window."""
        windows = self.facts.prompt_windows
        return (self.max_prompt_tokens - 2) * windows if windows > 1 else self.max_prompt_tokens

    @property
    def facts(self) -> FamilyFacts:
        """What its family can be asked for."""
        return FAMILIES[self.family]

    @property
    def modes(self) -> Set[Mode]:
        """What this model can be asked for: no video where `limits` allow one frame only."""
        film = {Mode.TEXT_TO_VIDEO} if self.limits.max_frames == 1 else set()
        return self.facts.modes - film
