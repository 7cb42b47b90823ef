"""Recipes that several methods' authors share."""

from collections.abc import Mapping

from core.axes import Ours

CLIP4CLIP: Mapping[str, object] = {
    "training.optimizer": "bertadam",
    "training.schedule": "bert-warmup-cosine",
    "training.lr_new": 1e-4,
    # The release keeps CLIP in float16 with rate 1e-7, whose underflow makes it another optimiser;
    # float32 masters with 1e-6 are the declared deviation.
    "training.lr_clip": Ours(1e-6, released=1e-7),
    "training.clip_param_dtype": Ours("float32", released="float16"),
    "training.weight_decay": 0.2,
    "training.decay_biases": False,
    "training.batch_size": 128,
    "training.drop_last": True,
    "training.gathered_gradient": Ours("exact", released="released"),
    "training.epochs": 5,
    "frame_sampling": "one-per-second",
    "text_tokens": 32,
}
"""Of CLIP4Clip and its family: AVIGATE, X-CLIP, DRL, UATVR, EMCL-Net and DiCoSA have its optimiser."""

DECORD: Mapping[str, object] = {
    "frame_sampling": Ours("one-per-second", released="every-nth"),
    "data.reader": "own",
}
"""Of DRL, EMCL-Net and DiCoSA, whose loaders number frames by decord: in the order in which they are shown
and in the colours that the file states, as our own reader does."""

OPENCV_DIDEMO: Mapping[str, object] = {
    "frame_sampling@didemo": "one-per-second",
    "data.reader@didemo": Ours("own", released="opencv"),
}
"""Of EMCL-Net and DiCoSA, whose loaders of DiDeMo remained CLIP4Clip's."""

VAST: Mapping[str, object] = {
    "training.optimizer": "adamw",
    "training.lr_new": 2e-5,
    "training.lr_clip": 5e-7,
    "training.weight_decay": 0.01,
    "training.decay_biases": False,
    "training.batch_size": 64,
    "training.epochs": 4,
    "frame_sampling": "segment-centres",
    "frames": 8,
}
"""Of VAST's descendants; gradients are not clipped in the release."""
