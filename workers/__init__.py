"""The only room with torch: families, the engine, codecs and the stages themselves."""

import os

# diffusers reads these when it is first imported, so they are set before anything
# here can import it: a model never brings code, and nobody is told what is loaded.
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
