"""The text encoder: learns to spell a caption's meaning at fixed places of its output.

CLIP's encoder is causal and pads to 77 tokens, so the last places see the whole caption. Trained
alone, place -1-k must reveal label k (background, layout, first shape, ...) to a linear head. The
denoiser's cross-attention then finds every attribute at the same place, whatever the wording, the
language or the order the things are named in.
"""

import logging
import random
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from model.budget import Budget
from model.caption import LANGUAGES, Language, phrase
from model.description import LABELS, NOTHING, Description, describe, label_ids
from model.optimizer import MuonAdamW
from model.scene import sample_scene

log = logging.getLogger(__name__)
PAIRS = 48
PEAK_LR = 4e-3


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A 3-layer, 128-wide CLIP text model for this tokenizer."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=128,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Padded token ids, (len(captions), 77), as the stock pipeline makes them."""
    batch = tokenizer(
        captions,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = batch.input_ids
    return ids


class LabelHeads(nn.Module):
    """One linear classifier for each entry of LABELS, each reading its own place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(c) + 1) for c in LABELS.values())

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """Logits for every label from hidden states (N, 77, width)."""
        return [head(hidden[:, -1 - i]) for i, head in enumerate(self.heads)]


def train_text_encoder(tokenizer: CLIPTokenizer, folder: Path, minutes: float) -> float:
    """Train for `minutes`, save the encoder; return the share of held-out captions all right."""
    torch.manual_seed(2)
    rng = random.Random("text")
    model = build_text_encoder(tokenizer)
    heads = LabelHeads(model.config.hidden_size)
    optimizer = MuonAdamW(nn.ModuleList([model, heads]), PEAK_LR)
    budget, step = Budget(minutes * 60), 0
    while not budget.is_over:
        loss = caption_loss(model, heads, tokenizer, rng)
        torch.autograd.backward(loss)
        optimizer.step(budget.lr(PEAK_LR, warmup=0.05, decay_from=0.3))
        step += 1
        if step % 50 == 0:
            log.info("text %.0f s step %d loss %.4f", budget.spent_s, step, loss.item())
    model.train(False)
    model.save_pretrained(folder)
    return label_accuracy(model, heads, tokenizer)


def caption_loss(
    model: CLIPTextModel,
    heads: LabelHeads,
    tokenizer: CLIPTokenizer,
    rng: random.Random,
    pairs: int = PAIRS,
) -> Tensor:
    """Every label's cross-entropy, and the distance between two wordings of one meaning."""
    meanings = [random_meaning(rng) for _ in range(pairs)]
    captions = [phrase(m, rng.choice(LANGUAGES), rng) for m in meanings * 2]
    targets = torch.tensor([label_ids(m) for m in meanings * 2])
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(token_ids(tokenizer, captions)).last_hidden_state.float()
    losses = [cross_entropy(x, targets[:, i]) for i, x in enumerate(heads(hidden))]
    one, other = hidden[:, -len(LABELS) :].chunk(2)
    return torch.stack(losses).mean() + 0.1 * mse_loss(one, other)


def random_meaning(rng: random.Random) -> Description:
    """A description of a random training scene, or now and then of nothing."""
    if rng.random() < 0.05:
        return NOTHING
    return describe(sample_scene(rng, pair_share=0.6), rng)


@torch.no_grad()
def label_accuracy(
    model: CLIPTextModel,
    heads: LabelHeads,
    tokenizer: CLIPTokenizer,
    languages: tuple[Language, ...] = LANGUAGES,
    count: int = 1000,
) -> float:
    """The share of captions of validation scenes whose labels are all read right."""
    rng = random.Random("text validation")
    meanings = [describe(sample_scene(rng, "validation"), rng) for _ in range(count)]
    captions = [phrase(m, rng.choice(languages), rng) for m in meanings]
    targets = torch.tensor([label_ids(m) for m in meanings])
    logits = heads(model(token_ids(tokenizer, captions)).last_hidden_state)
    guesses = torch.stack([x.argmax(1) for x in logits], dim=1)
    return (guesses == targets).all(1).float().mean().item()
