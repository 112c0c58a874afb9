"""What is written on an attention processor is what would have been read."""

import inspect

from torch import Tensor, nn

from workers.batching.signature import remember_signatures


class Processor:
    def __call__(self, attn: nn.Module, hidden_states: Tensor, scale: float = 1.0) -> Tensor:
        return hidden_states * scale


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.processor = Processor()


def test_a_processors_signature_is_the_same_and_ready() -> None:
    model = nn.Sequential(Attention(), nn.Linear(2, 2))
    before = inspect.signature(model[0].processor.__call__)
    remember_signatures(model)
    remember_signatures(model)
    assert inspect.signature(model[0].processor.__call__) == before
    assert "__signature__" in vars(Processor.__call__)
