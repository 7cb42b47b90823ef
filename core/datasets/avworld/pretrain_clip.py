"""Pre-trains the tiny CLIP: still frames against sentences about them.

Contrastive loss as in Radford et al., "Learning transferable visual models", 2021, except that a still
which also fits another still's sentence is no negative for it. Auxiliary heads that name a still's
facts and a sentence's sound keep both embeddings informative where the contrast does not ask; they are
dropped afterwards. Rings are no words of the captions, but a backbone that sees must see them.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from core.datasets.avworld.grammar import (
    COLOURS,
    MOTIONS,
    SCENES,
    SOUND_PHRASES,
    SOUNDS,
    vocabulary,
    written_sentence,
)
from core.datasets.avworld.script import Mention
from core.datasets.avworld.stills import FACTS, Material, still_facts
from core.datasets.avworld.world import PIXELS
from core.encoders.clip import ClipBackbone, OpenTowers
from core.progress import Progress

WIDTH = 128
"""D, width of the joint embedding."""
TEXT_POSITIONS = 40
"""Longest token row."""
STEPS = 400
BATCH = 160
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05
WARMUP = 40
SEED = 0

MENTIONED = {"companion": 0.75, "motion": 0.5, "scene": 0.5}
"""How often a sentence mentions a fact (the world's own captions say as much); the colour always."""
HEAD_WEIGHT = 0.5
"""Weight of the auxiliary heads against the contrast."""
MODEL = {
    "embed_dim": WIDTH,
    "vision_cfg": {"image_size": PIXELS, "patch_size": 16, "width": 192, "layers": 4, "head_width": 64},
    "text_cfg": {
        "context_length": TEXT_POSITIONS,
        "width": 128,
        "heads": 4,
        "layers": 2,
        "hf_tokenizer_name": "avworld",
    },
}
"""open_clip's own configuration; the vocabulary's size is filled in."""


def write_configuration(folder: Path) -> None:
    """Writes open_clip's configuration and a word-level tokenizer over the grammar's vocabulary."""
    words = [
        "<pad>",
        "<unknown>",
        *vocabulary(),
        "<start>",
        "<end>",
    ]  # the end mark must have the highest number
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unknown>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[(w, numbers[w]) for w in ("<start>", "<end>")]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unknown>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=TEXT_POSITIONS,
    ).save_pretrained(folder)
    model = {**MODEL, "text_cfg": {**MODEL["text_cfg"], "vocab_size": len(words)}}  # type: ignore[dict-item]
    content = {"model_cfg": model, "preprocess_cfg": {"interpolation": "bicubic", "resize_mode": "shortest"}}
    (folder / "open_clip_config.json").write_text(json.dumps(content, indent=1) + "\n")


def write_weights(model: nn.Module, folder: Path) -> None:
    """Writes the weights in half precision, under the name that open_clip looks for."""
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


def sentences(facts: dict[str, Tensor], draw: random.Random) -> tuple[list[str], dict[str, Tensor], Tensor]:
    """A sentence per still of a batch, which facts each mentions `(B,)` bool, and its sound `(B,)` int64.

    Half of the sentences end in a random sound phrase, number of the sound, else -1: no still shows it,
    and the text tower shall know the words and not confuse them with what is seen.
    """
    texts, sounds = [], []
    said: dict[str, list[bool]] = {name: [] for name in MENTIONED}
    for i in range(len(facts["colour"])):
        mentions = {name: draw.random() < share for name, share in MENTIONED.items()}
        mention = Mention(
            colour=COLOURS[facts["colour"][i]],
            companion=COLOURS[facts["companion"][i]] if mentions["companion"] else None,
            motion=MOTIONS[facts["motion"][i]] if mentions["motion"] else None,
        )
        sound = draw.randrange(len(SOUNDS)) if draw.random() < 0.5 else -1
        phrase = draw.choice(SOUND_PHRASES[SOUNDS[sound]]) if sound >= 0 else None
        texts.append(
            written_sentence(SCENES[facts["scene"][i]] if mentions["scene"] else None, [mention], phrase)
        )
        sounds.append(sound)
        for name, mentioned in mentions.items():
            said[name].append(mentioned)
    return texts, {name: torch.tensor(flags) for name, flags in said.items()}, torch.tensor(sounds)


def caption_fits(facts: dict[str, Tensor], said: dict[str, Tensor]) -> Tensor:
    """Whether sentence i is true of still j, `(B, B)` bool."""
    true = facts["colour"][:, None] == facts["colour"][None]
    for name, mentioned in said.items():
        true &= (facts[name][:, None] == facts[name][None]) | ~mentioned[:, None]
    return true


def contrast(texts: Tensor, images: Tensor, true: Tensor, logit_scale: Tensor) -> Tensor:
    """Symmetric cross-entropy of embeddings `(B, D)`; other true pairs `(B, B)` are left out of it."""
    logits = (
        logit_scale.exp() * nn.functional.normalize(texts, dim=-1) @ nn.functional.normalize(images, dim=-1).T
    )
    own = torch.arange(len(texts))
    logits = logits.masked_fill(true & ~torch.eye(len(texts), dtype=torch.bool), -torch.inf)
    return (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own)) / 2


def pretrain(material: Material, folder: Path, progress: Progress) -> ClipBackbone:
    """Trains from fresh weights for a fixed number of steps and writes the model folder."""
    torch.manual_seed(SEED)
    write_configuration(folder)
    source = f"local-dir:{folder}"
    model = open_clip.create_model(source, load_weights=False)
    backbone = ClipBackbone(str(folder), OpenTowers(model, open_clip.get_tokenizer(source)))
    heads = nn.ModuleDict({name: nn.Linear(WIDTH, len(values)) for name, values in FACTS.items()})
    heads["sound"] = nn.Linear(WIDTH, len(SOUNDS))
    parameters = [*model.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS, pct_start=WARMUP / STEPS)
    draw = random.Random(SEED)
    model.train()
    with progress.task("pre-training CLIP", STEPS) as advance:
        for pixels, facts in batches(material, STEPS, BATCH):
            texts, said, sounds = sentences(facts, draw)
            images = backbone.encode_images(pixels)
            embeds = backbone.encode_text(backbone.tokenise(texts))
            loss = contrast(embeds, images, caption_fits(facts, said), model.logit_scale)
            named = [nn.functional.cross_entropy(heads[name](images), facts[name]) for name in FACTS]
            heard = nn.functional.cross_entropy(heads["sound"](embeds), sounds, ignore_index=-1)
            total = loss + HEAD_WEIGHT * (sum(named, start=torch.zeros(())) + heard)
            optimizer.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=4.6052)  # ln 100, as in CLIP
            advance(
                1,
                f"contrast {loss.item():.2f} heads {' '.join(f'{n.item():.2f}' for n in (*named, heard))}",
            )
    write_weights(model, folder)
    return backbone


def batches(material: Material, steps: int, size: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Random stills `(size, h, w, 3)` uint8, half of them mirrored, with their facts `(size,)`."""
    generator = torch.Generator().manual_seed(SEED)
    rows = material.one_per_group()
    facts = still_facts(material)
    for _ in range(steps):
        chosen = rows[torch.randint(len(rows), (size,), generator=generator)]
        frames = torch.randint(material.store.settings.frames, (size,), generator=generator)
        pixels = torch.stack(
            [
                torch.from_numpy(material.store.frames(int(r))[int(f)])
                for r, f in zip(chosen, frames, strict=True)
            ]
        )
        mirrored = torch.rand(size, generator=generator) < 0.5
        pixels[mirrored] = pixels[mirrored].flip(2)
        yield pixels, {name: values[chosen, frames] for name, values in facts.items()}
