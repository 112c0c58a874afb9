"""The stock workflows in API form, as ComfyUI's own templates lay them out."""

from typing import Any

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def text_to_image(prompt: str, **sampler: Any) -> Graph:
    """The default workflow, with the numbers of ComfyUI's websocket example."""
    asked = {
        "seed": 7,
        "steps": 12,
        "cfg": 3.5,
        "sampler_name": "dpmpp_2m",
        "scheduler": "normal",
        "denoise": 1,
    }
    links = {
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["7", 0],
        "latent_image": ["5", 0],
    }
    return {
        "3": node("KSampler", **(asked | links | sampler)),
        "4": node("CheckpointLoaderSimple", ckpt_name="myriad-shapes"),
        "5": node("EmptyLatentImage", width=128, height=128, batch_size=4),
        "6": node("CLIPTextEncode", text=prompt, clip=["4", 1]),
        "7": node("CLIPTextEncode", text="", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }


def image_to_image(prompt: str, image: str, denoise: float) -> Graph:
    graph = text_to_image(prompt, denoise=denoise)
    graph["10"] = node("LoadImage", image=image)
    graph["5"] = node("VAEEncode", pixels=["10", 0], vae=["4", 2])
    return graph


def inpaint(prompt: str, image: str) -> Graph:
    """What is transparent in the picture is drawn anew."""
    graph = image_to_image(prompt, image, 1)
    graph["5"] = node(
        "VAEEncodeForInpaint", pixels=["10", 0], vae=["4", 2], mask=["10", 1], grow_mask_by=2
    )
    return graph


def with_lora(prompt: str, name: str) -> Graph:
    graph = text_to_image(prompt, model=["10", 0])
    graph["10"] = node(
        "LoraLoader",
        lora_name=name,
        strength_model=1,
        strength_clip=1,
        model=["4", 0],
        clip=["4", 1],
    )
    for text in ("6", "7"):
        graph[text]["inputs"]["clip"] = ["10", 1]
    return graph


def with_controlnet(prompt: str, net: str, image: str) -> Graph:
    graph = text_to_image(prompt, positive=["10", 0])
    graph["10"] = node(
        "ControlNetApply",
        strength=1,
        conditioning=["6", 0],
        control_net=["12", 0],
        image=["11", 0],
    )
    graph["11"] = node("LoadImage", image=image)
    graph["12"] = node("ControlNetLoader", control_net_name=net)
    return graph
