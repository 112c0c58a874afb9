"""Whether models can be had from the Hugging Face hub now."""

import httpx
from huggingface_hub import constants

_TIMEOUT_S = 3.0


def hub_trouble() -> str:
    """Why the hub cannot be asked; empty if it answers."""
    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    try:
        httpx.head(constants.ENDPOINT, timeout=_TIMEOUT_S, follow_redirects=True)
    except httpx.HTTPError as error:
        return f"{constants.ENDPOINT} does not answer ({type(error).__name__})"
    return ""
