"""What a drawing is answered with: pictures, the request again, and `info`, a JSON string."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from myriad import __version__
from myriad.infotext import infotext
from myriad.params import GenerationParams
from myriad.record import ImageRecord, JobRecord
from myriad.sampler_names import a1111_name
from web.doors.automatic1111.checkpoint import CHECKPOINT
from web.doors.automatic1111.request_model import Txt2Img

_LARGE = {"init_images", "mask", "override_settings", "alwayson_scripts"}


def answer(
    asked: Txt2Img, record: JobRecord, pictures: Sequence[bytes], reports: Sequence[str]
) -> dict[str, Any]:
    """The body of `txt2img` and `img2img`. `pictures` are PNG files, none after an interrupt."""
    return {
        "images": [base64.b64encode(data).decode() for data in pictures],
        "parameters": _parameters(asked, record),
        "info": json.dumps(_info(record, reports), ensure_ascii=False),
    }


def _parameters(asked: Txt2Img, record: JobRecord) -> dict[str, Any]:
    return asked.model_dump(mode="json", exclude=_LARGE) | {
        "override_settings": {CHECKPOINT: record.model}
    }


def _info(record: JobRecord, reports: Sequence[str]) -> dict[str, Any]:
    """Generation data by AUTOMATIC1111's names; `myriad` holds what is only ours."""
    params = GenerationParams.from_json(record.params)
    seeds = [image.seed for image in record.images] or list(params.seeds)
    return {
        "prompt": params.prompt,
        "all_prompts": [params.prompt] * len(seeds),
        "negative_prompt": params.negative_prompt,
        "all_negative_prompts": [params.negative_prompt] * len(seeds),
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": seeds[0],
        "all_subseeds": seeds,
        "subseed_strength": 0,
        "width": params.width,
        "height": params.height,
        "sampler_name": a1111_name(params.scheduler),
        "cfg_scale": params.guidance_scale,
        "steps": params.num_inference_steps,
        "batch_size": params.num_images,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": record.model,
        "sd_model_hash": None,
        "sd_vae_name": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": params.strength,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": [_infotext(record, params, image) for image in record.images],
        "styles": [],
        "job_timestamp": record.created_at.strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": f"Myriad {__version__}",
        "myriad": {"job": record.id, "reports": list(reports), "notes": list(record.notes)},
    }


def _infotext(record: JobRecord, params: GenerationParams, image: ImageRecord) -> str:
    own = params.model_copy(update={"seed": image.seed, "num_images": 1})
    return infotext(record.model, own)
