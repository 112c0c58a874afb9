"""diffusers as this package sees it: untyped, so its objects go by these names for Any."""

from typing import Any, TypeAlias

import diffusers as _diffusers

diffusers: Any = _diffusers

Vae: TypeAlias = Any
Unet: TypeAlias = Any
Scheduler: TypeAlias = Any
Pipeline: TypeAlias = Any
