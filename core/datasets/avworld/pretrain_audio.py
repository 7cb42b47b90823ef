"""Pre-trains the tiny audio encoders: which sounds are heard at each moment.

Both kinds are real transformers models of small configuration, trained the same way: a linear head on
every state names the sounds of that moment, which may overlap; the head is dropped afterwards.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from core.datasets.avworld.stills import SOUND_CLASSES, Material, sound_labels
from core.encoders.audio import AudioEncoder
from core.progress import Progress

WIDTH = 128
"""Da, width of a state."""
LAYERS = 2
HEADS = 4
POSITIONS = {"whisper": 400, "wav2vec2": 200}
"""L, states per clip: 8 s for Whisper, of which a 4 s clip fills half; the whole clip for wav2vec2."""
STEPS = {"whisper": 250, "wav2vec2": 160}
BATCH = 16
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
WARMUP = 25
SEED = 0


def write_configuration(kind: str, folder: Path) -> None:
    """Writes a fresh model and its feature extractor with transformers' `save_pretrained`."""
    if kind == "whisper":
        whisper = transformers.WhisperConfig(
            d_model=WIDTH,
            encoder_layers=LAYERS,
            encoder_attention_heads=HEADS,
            encoder_ffn_dim=4 * WIDTH,
            num_mel_bins=40,
            max_source_positions=POSITIONS[kind],
            decoder_layers=0,  # only the encoder is of use; transformers wants the rest to exist
            decoder_attention_heads=1,
            decoder_ffn_dim=1,
            vocab_size=1,
            max_target_positions=1,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
            decoder_start_token_id=0,
        )
        transformers.WhisperModel(whisper).save_pretrained(folder)
        transformers.WhisperFeatureExtractor(feature_size=40).save_pretrained(folder)  # type: ignore[no-untyped-call]
        return
    wav2vec2 = transformers.Wav2Vec2Config(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        conv_dim=(64,) * 7,
        feat_extract_norm="layer",
        conv_bias=True,
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=8,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        vocab_size=3,
        num_codevectors_per_group=1,
        num_codevector_groups=1,
        codevector_dim=1,
        proj_codevector_dim=1,
    )
    transformers.Wav2Vec2Model(wav2vec2).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)  # type: ignore[no-untyped-call]


def write_weights(encoder: transformers.PreTrainedModel, folder: Path) -> None:
    """Writes trained weights in half precision over the fresh ones."""
    model: Any = transformers.AutoModel.from_pretrained(folder)
    (model.encoder if model.config.model_type == "whisper" else model).load_state_dict(encoder.state_dict())
    model.half().save_pretrained(folder)


def labels_of(material: Material, audio: AudioEncoder, row: int) -> Tensor:
    """Which sounds each valid state of a clip hears, `(valid, SOUND_CLASSES)` of 0 and 1."""
    duration = float(material.store.duration[row])
    valid = audio.valid_states(duration)
    return sound_labels(material.clips[row], valid, valid / duration)


def pretrain(kind: str, material: Material, folder: Path, progress: Progress) -> None:
    """Trains from fresh weights for a fixed number of steps and writes the model folder."""
    torch.manual_seed(SEED)
    write_configuration(kind, folder)
    audio = AudioEncoder.load(str(folder))
    encoder = audio.encoder.train().requires_grad_(True)
    head = nn.Linear(WIDTH, len(SOUND_CLASSES))
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    steps = STEPS[kind]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=WARMUP / steps)
    with progress.task(f"pre-training {kind}", steps) as advance:
        for rows in batches(material, steps):
            states = audio.run([material.store.waveform(row) for row in rows])
            labels = [labels_of(material, audio, row) for row in rows]
            heard = torch.cat([states[i, : len(own)] for i, own in enumerate(labels)])
            logits, targets = head(heard), torch.cat(labels)
            # Equal shares of the sounds that overlap: learns far faster than a yes or no per sound.
            loss = nn.functional.cross_entropy(logits, targets / targets.sum(1, keepdim=True))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            right = (targets.gather(1, logits.argmax(1, keepdim=True)) > 0).float().mean()
            advance(1, f"loss {loss.item():.3f} right {right.item():.2f}")
    write_weights(audio.encoder, folder)


def batches(material: Material, steps: int) -> Iterator[list[int]]:
    """Random rows of audible clips."""
    generator = torch.Generator().manual_seed(SEED)
    audible = torch.from_numpy(material.store.has_audio).nonzero()[:, 0]
    for _ in range(steps):
        yield audible[torch.randint(len(audible), (BATCH,), generator=generator)].tolist()
