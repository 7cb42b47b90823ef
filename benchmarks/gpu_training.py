"""Full-size training on a GPU with random weights: the encoders alone, then the engine around them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from benchmarks.gpu_measure import Row, counted_flops, gemm_rate, peak_gigabytes, seconds_per_call

if TYPE_CHECKING:
    from core.batch import Videos
    from core.training.loading import Batch

PAIRS, FRAMES, CONTEXT, SIZE, WIDTH = 64, 12, 77, 224, 512
"""A batch of MSR-VTT's kind on ViT-B/32."""
SOUNDS = 32
"""Clips whose 30 s of log-mel go through Whisper at once."""
VOCABULARY = 49_408
"""CLIP's; the last token ends a caption."""


def whisper_base(device: torch.device | str = "cuda") -> nn.Module:
    """transformers' encoder of the shape of Whisper-base, random and frozen."""
    from transformers import WhisperConfig, WhisperModel

    config = WhisperConfig(
        d_model=512,
        encoder_layers=6,
        encoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_layers=1,  # the decoder is thrown away
        decoder_attention_heads=8,
    )
    model: Any = WhisperModel(config)
    encoder: nn.Module = model.get_encoder()
    return encoder.to(device).eval().requires_grad_(False)


def embeds(output: Any) -> Tensor:
    """The embeddings in what transformers returns: a record from version 5 on, a tensor before."""
    found: Tensor = getattr(output, "pooler_output", output)
    return found


class Towers(nn.Module):
    """What the engine asks of a retriever, around transformers' CLIP ViT-B/32 of random weights."""

    mode = "finetune"

    def __init__(self, method: nn.Module | None = None) -> None:
        from transformers import CLIPConfig, CLIPModel

        super().__init__()
        clip: Any = CLIPModel(CLIPConfig())  # its defaults are ViT-B/32
        self.clip = clip.cuda()
        self.method = method

    @property
    def device(self) -> torch.device:
        """The GPU."""
        return torch.device("cuda")

    def text_embeds(self, tokens: Tensor) -> Tensor:
        """Embeddings `(B, D)` of captions `(B, 77)`."""
        return embeds(self.clip.get_text_features(tokens))

    def frame_embeds(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """Embeddings `(B, F, D)` of frames `(B, F, 224, 224, 3)` uint8."""
        images = pixels.flatten(0, 1).permute(0, 3, 1, 2).float() / 255 - 0.5
        frames: Tensor = embeds(self.clip.get_image_features(images)).unflatten(0, mask.shape)
        return frames

    def pictured(self, videos: "Videos", frames: Tensor) -> "Videos":
        """See `core.retriever.Retriever.pictured`."""
        return replace(videos, frames=frames)


def random_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Captions `(B, 77)`, frames `(B, F, 224, 224, 3)` uint8 and their mask `(B, F)`."""
    tokens = torch.randint(1, VOCABULARY - 2, (PAIRS, CONTEXT), device="cuda")
    tokens[:, -1] = VOCABULARY - 1
    pixels = torch.randint(0, 256, (PAIRS, FRAMES, SIZE, SIZE, 3), dtype=torch.uint8, device="cuda")
    return tokens, pixels, torch.ones(PAIRS, FRAMES, dtype=torch.bool, device="cuda")


def throughput(part: str, step: Callable[[], object], clips: int, ceiling: float, remark: str) -> Row:
    """Clips per second of a step, and its counted operations per second against the matrix product's."""
    flops = counted_flops(step)
    torch.cuda.reset_peak_memory_stats()
    seconds = seconds_per_call(step)
    used = f"MFU {100 * flops / seconds / ceiling:.0f} % of the matrix product"
    return Row(part, f"{clips / seconds:,.0f} clips/s", f"{remark}, {used}, peak {peak_gigabytes():.1f} GB")


def encoder_rows() -> Iterator[Row]:
    """The encoders alone in bf16: what no engine can beat. Needs torch and transformers only."""
    ceiling = gemm_rate(torch.bfloat16)
    towers, (tokens, pixels, mask) = Towers(), random_inputs()
    optimizer = torch.optim.AdamW(towers.parameters(), lr=1e-6, fused=True)
    target = torch.arange(PAIRS, device="cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            texts, frames = towers.text_embeds(tokens), towers.frame_embeds(pixels, mask)
        logits = 100 * normalize(texts.float(), dim=-1) @ normalize(frames.float().mean(1), dim=-1).T
        (cross_entropy(logits, target) + cross_entropy(logits.T, target)).backward()
        optimizer.step()

    remark = f"bf16, batch {PAIRS} x {FRAMES} frames"
    yield throughput("ViT-B/32 towers, training step", step, PAIRS, ceiling, remark)
    encoder = whisper_base().bfloat16()
    mels = torch.randn(SOUNDS, 80, 3000, device="cuda", dtype=torch.bfloat16)

    @torch.inference_mode()
    def listen() -> None:
        encoder(mels)

    yield throughput("Whisper-base, 30 s of sound per clip", listen, SOUNDS, ceiling, f"bf16, batch {SOUNDS}")


def random_batch() -> "Batch":
    """Pairs with frames and the cached sound of 10 s clips."""
    from core.batch import Videos
    from core.training.loading import Batch

    tokens, pixels, mask = random_inputs()
    keys = torch.arange(PAIRS, device="cuda")
    sound = torch.randn(PAIRS, 1500, WIDTH, device="cuda")
    frames = torch.zeros(PAIRS, FRAMES, WIDTH, device="cuda")
    videos = Videos(frames, mask, keys, sound, torch.full_like(keys, 500), torch.ones_like(keys).bool())
    return Batch(tokens, keys, videos, pixels, slice(0, PAIRS))


def engine_row(micro_batch: int, ceiling: float) -> Row:
    """GAID's step through the product's engine, so many pairs in the towers at a time."""
    from core.method import Dimensions
    from core.registry import find_method
    from core.spec import TrainingSpec
    from core.training.gradient import BatchGradient
    from core.training.optimizers import XPoolAdamW

    cls = find_method("gaid")
    towers: Any = Towers(cls(cls.Config(), Dimensions(WIDTH, FRAMES, WIDTH)).cuda()).train()
    parameters = [p for p in towers.parameters() if p.requires_grad]
    optimizer = XPoolAdamW(parameters, lr=1e-6)
    spec = TrainingSpec(batch_size=PAIRS, precision="bfloat16", micro_batch=micro_batch)
    gradient = BatchGradient(towers, spec, torch.Generator("cuda").manual_seed(0))
    batch = random_batch()

    def step() -> None:
        gradient(batch)
        torch.nn.utils.clip_grad_norm_(parameters, spec.gradient_clip)
        optimizer.step()

    remark = f"bf16, batch {PAIRS} x {FRAMES} frames, {micro_batch} pairs at a time"
    return throughput("GAID through the engine, training step", step, PAIRS, ceiling, remark)


def engine_rows() -> Iterator[Row]:
    """The whole batch at once, and in micro-batches with the same gradient."""
    ceiling = gemm_rate(torch.bfloat16)
    for micro_batch in (PAIRS, PAIRS // 4):
        yield engine_row(micro_batch, ceiling)
