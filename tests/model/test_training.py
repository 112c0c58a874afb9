"""A few steps of every training part go the right way; checkpoints carry a run on."""

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from model.budget import Budget, learning_rate
from model.denoiser import SCHEDULE, DenoiserRun, MovingAverage, build_unet
from model.denoiser import loss_of as denoiser_loss
from model.latents import LatentCache, encode_file, file_path, scenes_of
from model.optimizer import MuonAdamW
from model.parts import diffusers
from model.replica import average_gradients
from model.text_encoder import LabelHeads, build_text_encoder, caption_loss
from model.tokenizer import build_tokenizer
from model.vae import build_vae, crop_batch
from model.vae import loss_of as vae_loss


def test_muon_learns_a_linear_map_with_convolutions_and_biases() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1))
    optimizer = MuonAdamW(model, 0.02)
    pixels = torch.randn(8, 3, 8, 8)
    losses = []
    for _ in range(40):
        loss = (model(pixels) - pixels).square().mean()
        torch.autograd.backward(loss)
        optimizer.step(0.02)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is None for p in model.parameters())


def test_weights_loaded_after_the_optimizer_stay() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    optimizer = MuonAdamW(model, 0.1)
    loaded = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    model.load_state_dict(loaded)
    torch.autograd.backward(model(torch.ones(1, 4)).sum())
    optimizer.step(lr=0.0)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, loaded[name])


def test_autoencoder_loss_falls() -> None:
    torch.manual_seed(2)
    vae, pixels = build_vae(), crop_batch(random.Random(2), 2)
    optimizer = MuonAdamW(vae, 4e-3)
    losses = []
    for _ in range(6):
        loss, _ = vae_loss(vae, pixels)
        torch.autograd.backward(loss)
        optimizer.step(4e-3)
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_text_encoder_loss_falls(tmp_path: Path) -> None:
    torch.manual_seed(3)
    tokenizer = build_tokenizer(tmp_path)
    model = build_text_encoder(tokenizer)
    heads = LabelHeads(model.config.hidden_size)
    optimizer = MuonAdamW(nn.ModuleList([model, heads]), 4e-3)
    losses = []
    for _ in range(5):
        loss = caption_loss(model, heads, tokenizer, random.Random(3), pairs=8)
        torch.autograd.backward(loss)
        optimizer.step(4e-3)
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_denoiser_loss_falls_and_the_average_follows() -> None:
    torch.manual_seed(4)
    unet, scheduler = build_unet(), diffusers.DDPMScheduler(**SCHEDULE)
    optimizer, average = MuonAdamW(unet, 2e-3), MovingAverage(unet)
    start = average.weights["conv_in.weight"].clone()
    latents, states = torch.randn(4, 4, 16, 16), torch.randn(4, 77, 128)
    losses = []
    for step in range(4):
        torch.manual_seed(5)
        loss = denoiser_loss(unet, scheduler, latents, states)
        torch.autograd.backward(loss)
        optimizer.step(2e-3)
        average.update(unet, step)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not torch.equal(average.weights["conv_in.weight"], start)


def test_latent_cache_sees_new_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.latents.FILE_SCENES", 8)
    monkeypatch.setattr("model.latents.ENCODE_BATCH", 8)
    cache = LatentCache(tmp_path, random.Random(5))
    file = encode_file(build_vae().eval(), (96, 96), 0)
    assert file.latents.shape == (8, 4, 12, 12)
    torch.save(file.latents, file_path(tmp_path, (96, 96), 0))
    cache.refresh()
    scenes, latents = cache.batch(3)
    assert latents.shape == (3, 4, 12, 12)
    assert scenes_of((96, 96), 0, 8) == file.scenes
    assert set(scenes) <= set(file.scenes)


def test_the_rate_warms_up_holds_and_decays() -> None:
    rates = [learning_rate(p, 1.0) for p in (0.0, 0.02, 0.3, 0.7, 1.0)]
    assert rates[0] < 0.1
    assert rates[1] == rates[2] == 1.0
    assert 0.02 < rates[3] < 1.0
    assert rates[4] == pytest.approx(0.02)
    assert Budget(10, spent_s=20).is_over


def test_replicas_start_alike_and_a_checkpoint_carries_on(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(tmp_path / "tokenizer")
    build_text_encoder(tokenizer).save_pretrained(tmp_path / "text_encoder")
    first, second = (DenoiserRun(rank, tmp_path, minutes=1.0) for rank in (0, 1))
    for one, other in zip(first.unet.parameters(), second.unet.parameters(), strict=True):
        assert torch.equal(one, other)
    first.step = 7
    first.save()
    again = DenoiserRun(1, tmp_path, minutes=1.0)
    assert again.step == 7
    assert again.budget.spent_s >= first.budget.spent_s - 5


def test_numbers_pass_through_without_replicas() -> None:
    assert average_gradients(nn.Linear(2, 2), 0.5) == (0.5,)
