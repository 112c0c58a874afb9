"""What may be added to a model for one request: LoRAs and ControlNets."""

from pydantic import Field

from myriad.weights import Weights


class Adapter(Weights):
    """Weights that work with `models` of the catalogue only."""

    models: tuple[str, ...] = Field(min_length=1)


class Lora(Adapter):
    """A LoRA: a safetensors file, or a folder with one. `trigger` is what a prompt should say."""

    trigger: str = ""


class ControlNet(Adapter):
    """A ControlNet in diffusers' folder form. `kind` says what its image shows (canny, depth …)."""

    kind: str = ""
