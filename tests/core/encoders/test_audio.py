"""The audio encoders: transformers' own input features, GAID's padding, states on the clip's clock."""

import pickle

import numpy as np
import pytest
import torch
import transformers

from core.datasets.avworld.shipped import shipped_folder
from core.encoders.audio import AudioEncoder
from core.errors import BenchError


@pytest.fixture(scope="module")
def whisper() -> AudioEncoder:
    return AudioEncoder.load("avworld-whisper")


@pytest.fixture(scope="module")
def wav2vec2() -> AudioEncoder:
    return AudioEncoder.load("avworld-wav2vec2")


def waveform(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def mel_oracle(audio: AudioEncoder, samples: np.ndarray) -> np.ndarray:
    """Log-mel `(bins, frames)` by transformers' numpy implementation, of one unpadded waveform."""
    return np.asarray(audio.extractor._np_extract_fbank_features(samples[None], "cpu")[0])


@pytest.mark.parametrize("seconds", [1.0, 4.0, 7.9])
def test_whisper_sees_zeros_behind_the_log_mel_of_the_unpadded_waveform(whisper, seconds):
    samples = waveform(seconds)
    mel = mel_oracle(whisper, samples)
    padded = np.zeros((1, 40, 800), np.float32)
    padded[0, :, : mel.shape[1]] = mel
    with torch.inference_mode():
        expected = whisper.encoder(torch.from_numpy(padded)).last_hidden_state
    states, _ = whisper.states([samples], [seconds])
    assert states.shape == (1, 400, 128)
    torch.testing.assert_close(states, expected, atol=2e-4, rtol=1e-4)


def test_sound_longer_than_the_encoder_is_cut_behind_the_log_mel(whisper):
    samples = waveform(10.0)
    mel = torch.from_numpy(mel_oracle(whisper, samples)[None, :, :800].astype(np.float32))
    with torch.inference_mode():
        expected = whisper.encoder(mel).last_hidden_state
    states, valid = whisper.states([samples], [10.0])
    torch.testing.assert_close(states, expected, atol=2e-4, rtol=1e-4)
    assert valid.tolist() == [400]


def test_bfloat16_states_are_within_two_percent_and_are_another_encoders(whisper):
    lower = AudioEncoder.load("avworld-whisper:bfloat16")
    samples = [waveform(4.0), waveform(1.0, 1)]
    (found, valid), (expected, same) = (audio.states(samples, [4.0, 1.0]) for audio in (lower, whisper))
    assert found.dtype == torch.float32
    assert valid.tolist() == same.tolist()
    assert 0 < (found - expected).norm() < 0.02 * expected.norm()
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
    assert lower.fingerprint != whisper.fingerprint  # so that features are never taken for one another


@pytest.mark.parametrize(
    ("duration", "expected"), [(4.0, 200), (3.99, 200), (0.01, 1), (0.0, 1), (8.0, 400), (60.0, 400)]
)
def test_whispers_valid_states_are_fifty_per_second(whisper, duration, expected):
    assert whisper.states([waveform(0.5)], [duration])[1].tolist() == [expected]


def test_wav2vec2_is_stretched_over_the_clip_as_numpy_interpolates(wav2vec2):
    samples = waveform(2.0)
    normalised = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        hidden = wav2vec2.encoder(torch.from_numpy(normalised[None])).last_hidden_state[0].numpy()
    at = np.linspace(0, len(hidden) - 1, 200)
    expected = np.stack([np.interp(at, np.arange(len(hidden)), column) for column in hidden.T], axis=1)
    states, valid = wav2vec2.states([samples], [2.0])
    np.testing.assert_allclose(states[0].numpy(), expected, atol=1e-4)
    assert valid.tolist() == [200]


@pytest.mark.parametrize("name", ["avworld-wav2vec2", "avworld-whisper", "avworld-whisper-untrained"])
def test_a_clip_without_sound_is_zeros_and_leaves_the_others_alone(name):
    audio = AudioEncoder.load(name)
    silent = np.zeros(0, np.float32)
    states, valid = audio.states([silent, waveform(4.0), silent], [4.0, 4.0, 2.0])
    alone, _ = audio.states([waveform(4.0)], [4.0])
    assert not states[0].any()
    assert not states[2].any()
    torch.testing.assert_close(states[1:2], alone, atol=1e-5, rtol=1e-5)
    assert len(valid) == 3


def test_no_encoder_runs_where_nothing_is_heard(whisper, monkeypatch):
    monkeypatch.setattr(type(whisper.encoder), "forward", lambda *_, **__: pytest.fail("the encoder ran"))
    assert not whisper.states([np.zeros(0, np.float32)], [4.0])[0].any()


@pytest.mark.parametrize("name", ["avworld-whisper", "avworld-wav2vec2"])
def test_sounds_of_different_lengths_share_a_call(name):
    audio = AudioEncoder.load(name)
    samples = [waveform(s, seed) for seed, s in enumerate((4.0, 1.5, 4.0, 0.01))]
    together, _ = audio.states(samples, [4.0, 1.5, 4.0, 0.01])
    for row, own in enumerate(samples):
        torch.testing.assert_close(
            together[row : row + 1], audio.states([own], [4.0])[0], atol=1e-5, rtol=1e-5
        )


def test_a_track_of_digital_silence_runs_through_the_encoder(whisper):
    assert whisper.states([np.zeros(64_000, np.float32)], [4.0])[0].isfinite().all()
    assert whisper.states([np.zeros(64_000, np.float32)], [4.0])[0].any()


def test_the_untrained_control_is_the_same_in_every_process_and_not_the_trained_one(whisper):
    torch.manual_seed(1)
    first = AudioEncoder.load("avworld-whisper-untrained")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = AudioEncoder.load("avworld-whisper-untrained")
    assert torch.get_rng_state().equal(before)
    assert first.fingerprint == second.fingerprint != whisper.fingerprint
    assert (first.width, first.positions) == (whisper.width, whisper.positions)


@pytest.mark.parametrize("name", ["avworld-whisper", "avworld-wav2vec2"])
def test_a_worker_process_receives_the_same_encoder(name):
    audio = AudioEncoder.load(name)
    received = pickle.loads(pickle.dumps(audio))
    assert received.fingerprint == audio.fingerprint
    assert received.states([waveform(1.0)], [1.0])[0].equal(audio.states([waveform(1.0)], [1.0])[0])


def test_unknown_encoders_and_other_models_are_refused(tmp_path):
    with pytest.raises(BenchError, match="did you mean 'avworld-whisper'"):
        AudioEncoder.load("avworld-wisper")
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(BenchError, match="type .bert.; known are whisper, wav2vec2"):
        AudioEncoder.load(str(tmp_path))


def test_damaged_weights_are_one_clear_line(tmp_path):
    for file in shipped_folder("whisper").iterdir():
        (tmp_path / file.name).write_bytes(
            file.read_bytes()[: -100 if file.suffix == ".safetensors" else None]
        )
    with pytest.raises(BenchError, match="cannot be loaded") as error:
        AudioEncoder.load(str(tmp_path))
    assert "\n" not in str(error.value)
