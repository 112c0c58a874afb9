"""The native API from Python; it needs httpx and nothing else of Myriad's house."""

from myriad.client.async_client import AsyncClient
from myriad.client.client import Client
from myriad.client.picture import Picture
from myriad.client.pipeline import PipelineOutput, RemotePipeline
from myriad.client.result import FINAL, Batch, Job, Result

__all__ = [
    "FINAL",
    "AsyncClient",
    "Batch",
    "Client",
    "Job",
    "Picture",
    "PipelineOutput",
    "RemotePipeline",
    "Result",
]
