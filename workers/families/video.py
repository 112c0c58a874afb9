"""What families that make videos have in common."""

from typing import Any

from torch import Tensor

from myriad.params import GenerationParams
from workers.families.base import Frames
from workers.families.flow import FlowFamily
from workers.shell import Pipeline


class VideoFamily(FlowFamily):
    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        return {**super().arguments(params), "num_frames": params.num_frames}

    def frames(self, pipe: Pipeline, pixels: Tensor) -> Frames:
        """[1, 3, frames, height, width] in −1…1 → RGB."""
        [frames] = pipe.video_processor.postprocess_video(pixels, output_type="pil")
        return list(frames)
