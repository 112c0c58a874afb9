"""What a denoiser's pipeline has in place of a VAE: its sizes, and encodings made elsewhere."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Self

import diffusers
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor

from myriad.errors import StageFailed

_PLAIN = (bool, int, float, str, list, tuple, type(None))


class VaeStandIn:
    """Stands in for a VAE that is not loaded: a pipeline asks it for sizes and encodings alone.

    Without it diffusers assumes a scale of 8 and quietly draws the wrong size.
    Not an nn.Module: one without weights has no device, and pipelines ask.

    The VAE's encoder makes moments without any chance; drawing a sample from them
    is the pipeline's own affair, so that its generator stays in phase. `recorded`
    pairs each picture that may be encoded, [1, channels, …] as the pipeline will
    hand it in, with its moments; which is meant is told by likeness, since pools
    may differ in precision.
    """

    def __init__(
        self,
        config: Any,
        attributes: dict[str, Any],
        dtype: torch.dtype,
        recorded: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> None:
        self.__dict__.update(attributes)
        self.config = config
        self.dtype = dtype
        self._recorded = recorded

    @classmethod
    def of_config(
        cls, values: dict[str, Any], dtype: torch.dtype, tensors: Mapping[str, Tensor]
    ) -> Self:
        """From a VAE's config.json, whatever its class, and those of its tensors that are read."""
        with torch.device("meta"):  # fills in the defaults the file leaves out, at no memory
            module = getattr(diffusers, values["_class_name"]).from_config(values)
        cast = {name: tensor.to(dtype) for name, tensor in tensors.items()}
        return cls(module.config, _plain_attributes(module) | _nested(cast), dtype)

    @classmethod
    def of_module(cls, vae: Any, tensors: Collection[str] = ()) -> Self:
        """In place of a VAE that is loaded but has its own stage."""
        read = {name: vae.get_buffer(name) for name in tensors}
        return cls(vae.config, _plain_attributes(vae) | _nested(read), vae.dtype)

    def with_encodings(self, recorded: Sequence[tuple[Tensor, Tensor]]) -> "VaeStandIn":
        """One request's own."""
        attributes = {k: v for k, v in self.__dict__.items() if not k.startswith("_recorded")}
        return VaeStandIn(self.config, attributes, self.dtype, recorded)

    def encode(self, x: Tensor, return_dict: bool = True) -> Any:
        """The recorded encoding of the picture most like `x`: [rows, channels, …]."""
        if not self._recorded:
            raise StageFailed("the pipeline asked for an encoding that was not prepared")
        moments = torch.cat([self._nearest(row) for row in x.chunk(len(x))])
        posterior = DiagonalGaussianDistribution(moments.to(x.device, x.dtype))
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Nothing to move."""
        return self

    def _nearest(self, row: Tensor) -> Tensor:
        seen = row.float().cpu()
        _, moments = min(self._recorded, key=_distance_to(seen))
        return moments


def _distance_to(seen: Tensor) -> Callable[[tuple[Tensor, Tensor]], float]:
    return lambda pair: float((pair[0].float().cpu() - seen).abs().mean())


def _nested(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """`bn.running_mean` as an attribute `running_mean` of an attribute `bn`."""
    held: dict[str, Any] = {}
    for name, tensor in tensors.items():
        holder, _, attribute = name.rpartition(".")
        if holder:
            setattr(held.setdefault(holder, SimpleNamespace()), attribute, tensor)
        else:
            held[name] = tensor
    return held


def _plain_attributes(module: Any) -> dict[str, Any]:
    """Numbers and names that pipelines read off a VAE itself, not off its config."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and isinstance(value, _PLAIN)
    }
