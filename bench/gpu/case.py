"""What is measured: one model at one size."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Case:
    """One job: sizes in pixels, `aim` the speed-up over stock eager that we are after."""

    name: str
    model: str
    family: str
    height: int
    width: int
    guidance_scale: float
    aim: float
    steps: int = 50
    num_frames: int = 1
    is_tiny: bool = False

    @property
    def title(self) -> str:
        frames = f", {self.num_frames} frames" if self.num_frames > 1 else ""
        size = f"{self.width} x {self.height}{frames}, {self.steps} steps"
        return f"{'tiny ' if self.is_tiny else ''}{self.model}, {size}"

    @property
    def rows(self) -> int:
        """Rows of one forward: Wan's pipeline calls its model once for each half of guidance."""
        return 1 if self.family == "wan" else 2

    @property
    def forwards(self) -> int:
        """Forward passes of the denoiser in one job."""
        return self.steps * (2 if self.family == "wan" else 1)

    @property
    def is_graphed(self) -> bool:
        """Whether launches may be the limit; a video's kernels are long, its inputs large."""
        return self.family != "wan"


CASES = (
    Case("sd15", "SD 1.5", "sd", 512, 512, 7.5, aim=2.5),
    Case("sdxl", "SDXL", "sdxl", 1024, 1024, 5.0, aim=1.8),
    Case("sdxl2048", "SDXL", "sdxl", 2048, 2048, 5.0, aim=1.75),
    Case("wan", "Wan 2.1 1.3B", "wan", 480, 832, 5.0, aim=1.9, num_frames=81),
)
SCALING = "scaling"
NAMES = (*(case.name for case in CASES), SCALING)
ROWS = (1, 2, 4, 8, 16)


def tiny(case: Case) -> Case:
    """The same path through the code, in seconds on a CPU."""
    frames = 5 if case.num_frames > 1 else 1
    return replace(case, height=64, width=64, steps=2, num_frames=frames, is_tiny=True)
