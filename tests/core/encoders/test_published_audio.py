"""The published kinds of audio encoders, small and random, in the layouts that the hub has."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from core.encoders.audio import AudioEncoder
from core.encoders.audio_frontends import AVWORLD_POSITIONS
from core.encoders.fbank import avigate_fbank
from core.encoders.published import VARIABLE
from core.errors import BenchError

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
RATE = 16_000


def whisper() -> tuple[transformers.PreTrainedModel, transformers.WhisperFeatureExtractor]:
    layers = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 96}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 96, "vocab_size": 60}
    tokens = {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1}
    config = transformers.WhisperConfig(d_model=64, **layers, **decoder, **tokens)
    return transformers.WhisperForConditionalGeneration(config), transformers.WhisperFeatureExtractor()


def wav2vec2() -> tuple[transformers.PreTrainedModel, transformers.Wav2Vec2FeatureExtractor]:
    convolutions = {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    config = transformers.Wav2Vec2Config(**SMALL, **convolutions, vocab_size=20)
    return transformers.Wav2Vec2ForCTC(config), transformers.Wav2Vec2FeatureExtractor()


def ast() -> tuple[transformers.PreTrainedModel, transformers.ASTFeatureExtractor]:
    shape = {"max_length": 128, "num_mel_bins": 32}
    config = transformers.ASTConfig(**SMALL, **shape)
    return transformers.ASTForAudioClassification(config), transformers.ASTFeatureExtractor(**shape)


MAKERS = {"whisper-base": whisper, "wav2vec2-large": wav2vec2, "ast": ast}


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights as a user fills it, each model with its head, as published."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, make in MAKERS.items():
        model, extractor = make()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        model.save_pretrained(folder / name)
        extractor.save_pretrained(folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield folder


def waveform(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("seconds", [2.0, 31.0])
def test_whisper_with_a_padded_waveform_is_transformers_own(seconds):
    audio = AudioEncoder.load("whisper-base:padded-waveform")
    samples = waveform(seconds)
    with torch.inference_mode():
        features = audio.extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
        expected = audio.encoder(features).last_hidden_state
    states, valid = audio.states([samples], [seconds])
    close(states, expected)
    assert valid.tolist() == [min(1500, 50 * int(seconds))]


def test_whispers_two_paddings_differ_and_so_do_their_fingerprints():
    released, padded = (AudioEncoder.load(name) for name in ("whisper-base", "whisper-base:padded-waveform"))
    assert released.fingerprint != padded.fingerprint
    assert (
        released.states([waveform(2.0)], [2.0])[0] - padded.states([waveform(2.0)], [2.0])[0]
    ).abs().max() > 1e-3


def test_wav2vec2_has_1500_states_over_the_whole_clip():
    audio = AudioEncoder.load("wav2vec2-large")
    assert 64 not in AVWORLD_POSITIONS
    states, valid = audio.states([waveform(1.0)], [1.0])
    assert (states.shape, valid.tolist()) == ((1, 1500, 64), [1500])
    with torch.inference_mode():
        values = audio.extractor(waveform(1.0), sampling_rate=RATE, return_tensors="pt").input_values
        hidden = audio.encoder(values).last_hidden_state
    close(states[:, [0, -1]], hidden[:, [0, -1]])


def test_ast_hears_windows_and_averages_over_frequencies():
    audio = AudioEncoder.load("ast")
    step = 128 * 160  # 1.28 s
    samples = [waveform(2.0), waveform(0.3, 1), waveform(6.0, 2)]
    states, valid = audio.states(samples, [2.0, 0.3, 6.0])
    rows, columns = 2, 12  # patches of 16 x 16 every 10 in 32 bins x 128 frames
    assert states.shape == (3, 3 * columns, 64)
    assert valid.tolist() == [math.ceil(2 / 1.28 * columns), math.ceil(0.3 / 1.28 * columns), 3 * columns]
    for clip, sound in enumerate(samples):
        for window in range(3):
            found = states[clip, window * columns : (window + 1) * columns]
            piece = sound[window * step : window * step + 127 * 160 + 400]
            if not piece.size:
                assert not found.any()
                continue
            with torch.inference_mode():
                values = audio.extractor(piece, sampling_rate=RATE, return_tensors="pt").input_values
                patches = audio.encoder(values).last_hidden_state[0, 2:]
            for column in range(columns):
                close(
                    found[column], torch.stack([patches[f * columns + column] for f in range(rows)]).mean(0)
                )


def test_avigates_tokens_average_the_class_tokens_before_the_last_norm():
    audio = AudioEncoder.load("ast:avigate")
    sound = waveform(3.0)
    with torch.inference_mode():
        hidden = audio.encoder.embeddings(
            avigate_fbank(torch.from_numpy(sound)[None], frames=128, bins=32)[None]
        )
        for layer in audio.encoder.layers:
            hidden = layer(hidden, None)
        tokens = torch.cat([(hidden[:, :1] + hidden[:, 1:2]) / 2, hidden[:, 2:]], dim=1)
        expected = audio.encoder.layernorm(tokens)
    states, valid = audio.states([sound, waveform(0.05)], [3.0, 0.05])
    close(states[:1], expected)
    assert valid.tolist() == [25, 25]
    assert not states[1].any()  # 64 ms at least, else the released front end has no hop


def test_avigates_random_audio_transformer_redraws_its_linear_maps_alone():
    trained, random = (AudioEncoder.load(name) for name in ("ast:avigate", "ast:avigate-random"))
    again = AudioEncoder.load("ast:avigate-random")
    assert trained.fingerprint != random.fingerprint == again.fingerprint
    for (name, before), (_, after) in zip(
        trained.encoder.named_parameters(), random.encoder.named_parameters(), strict=True
    ):
        linear = any(part in name for part in ("_proj.", "fc1.", "fc2."))
        assert before.equal(after) != linear, name
        if linear and name.endswith("bias"):
            assert not after.any()
    drawn = torch.cat([p.flatten() for n, p in random.encoder.named_parameters() if n.endswith("fc1.weight")])
    assert drawn.std() == pytest.approx(0.02, rel=0.05)
    assert drawn.mean() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_kind_loads_from_a_folder_and_in_the_older_format(name, weights, tmp_path):
    audio = AudioEncoder.load(name)
    assert AudioEncoder.load(str(weights / name)).fingerprint == audio.fingerprint
    folder = tmp_path / "older"
    model, extractor = MAKERS[name]()
    model.load_state_dict(type(model).from_pretrained(weights / name).state_dict())
    extractor.save_pretrained(folder)
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    assert AudioEncoder.load(str(folder)).fingerprint == audio.fingerprint


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ast:avigat", "unknown variant of ast 'avigat'; did you mean 'avigate'"),
        ("whisper-base:avigate", "unknown variant of whisper-base 'avigate'.*padded-waveform"),
        ("whisper-small", "no weights of 'whisper-small' in .*openai/whisper-small"),
        ("whisper-bas", "unknown audio encoder 'whisper-bas'; did you mean 'whisper-base'"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_remedy(name, says):
    with pytest.raises(BenchError, match=says) as error:
        AudioEncoder.load(name)
    assert "\n" not in str(error.value)


def test_weights_that_lack_a_tensor_are_refused_and_not_redrawn(tmp_path):
    model, extractor = ast()
    model.config.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    state = {n: t for n, t in model.state_dict().items() if "layers.1.mlp.fc1" not in n}
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(BenchError, match=r"missing weights: layers\.1\.mlp\.fc1\.bias \(and 1 more\)"):
        AudioEncoder.load(str(tmp_path))


class Poison:
    """Touches a file where a pickle of it is loaded carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_a_poisoned_pickle_is_refused_and_not_run(tmp_path):
    model, extractor = ast()
    model.config.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    torch.save({"weight": Poison(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BenchError, match="could run anything; refused") as error:
        AudioEncoder.load(str(tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()
