"""RunSpec: what a run is. Everything that can change a number stands here, and nothing else does.

The records import no torch and no registry; `core.resolving` fills them in.
"""

import json
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.axes import (
    Axis,
    InProtocol,
    Only,
    Released,
)
from core.data_options import Sampling
from core.encoders.published import audio_encoder_names, backbone_names
from core.plain import brief
from core.plugins import DATASETS, METHODS, listed
from core.scoring.names import AudioAblation, Condition, Engine, PictureAblation, Precision

SCHEMA = 3
"""Version of the run directory's files; a reader refuses another one."""


class Frozen(BaseModel):
    """Immutable, unknown keys and infinite numbers refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every generator takes."""


class Seeds(Frozen):
    """One seed per axis, so that changing a method keeps the data order."""

    data: Seed = 0
    """Order of the training pairs, and the random crops of their frames."""
    initialisation: Seed = 0
    """Fresh weights."""
    noise: Seed = 0
    """Dropout and the noise of perturbations, in training and in scoring."""

    @model_validator(mode="before")
    @classmethod
    def from_one(cls, given: Any) -> Any:
        """One number sets all three; raises `ValueError` for text."""
        if isinstance(given, str):
            raise ValueError("must be a whole number")
        one = isinstance(given, int) and not isinstance(given, bool)
        return dict.fromkeys(cls.model_fields, given) if one else given


class TrainingSpec(Frozen):
    """How a run trains. Rates are per step; `warmup` is a share of all steps."""

    mode: Literal["frozen", "text-tuned", "finetune"] = "finetune"
    """What trains beside the method: nothing, the text tower, or both towers."""
    epochs: int = Field(default=5, ge=0)
    """Passes over the training data."""
    captions: Literal["every", "one", "first"] = "every"
    """What an epoch visits: every caption, or each video once with one caption at random (CLIP4Clip's two
    ways, `expand_msrvtt_sentences` on and off), or with its first one always, as if it had no others."""
    batch_size: int = Field(default=32, ge=2)
    """Pairs per step, those of all processes together."""
    drop_last: bool = False
    """Whether an incomplete last batch is left out, as CLIP4Clip and AVIGATE do."""
    optimizer: Literal["adamw", "bertadam"] = "adamw"
    """AdamW, or BertAdam as CLIP4Clip and AVIGATE train with it (see `core.training.optimizers`)."""
    schedule: Literal["warmup-cosine", "bert-warmup-cosine", "constant"] = "warmup-cosine"
    """How the learning rates change from step to step (see `core.training.optimizers`)."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the learning rates rise from 0."""
    lr_new: float = Field(default=1e-5, gt=0)
    """Learning rate of the method's new modules."""
    lr_clip: float = Field(default=1e-6, gt=0)
    """Learning rate of CLIP's towers and of the logit scale."""
    lr_factors: Mapping[str, float] = {}
    """Multiples of `lr_new` for a method's named groups, e.g. AVIGATE's query tokens."""
    weight_decay: float = Field(default=0.2, ge=0)
    """Decoupled weight decay, times the learning rate."""
    decay_biases: bool = True
    """X-Pool's family decays every parameter; CLIP4Clip and AVIGATE leave biases out."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest global gradient norm."""
    crop: Annotated[Literal["centre", "random"], Only(mode="finetune")] = "centre"
    """Training frames under `finetune`: the central square (CLIP4Clip, AVIGATE), or a random one per clip
    and epoch, mirrored every second time (X-Pool, T-MASS, GAID). Scoring always takes the centre."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of the towers' arithmetic in training (autocast; float16 with loss scaling). Weights, the
    method, the loss and everything in scoring stay in float32."""
    clip_param_dtype: Literal["float32", "float16"] = "float32"
    """Precision in which the towers' matrices, their gradients and moments are kept between steps: `float16`
    is what CLIP4Clip and AVIGATE release, whose optimiser then rounds most small steps away. Arithmetic in
    the towers is that of `precision`."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Pairs of one process that go through the towers at a time. The gradient stays that of the whole
    batch; smaller saves memory and costs a second forward pass. None: all at once."""
    activation_checkpointing: bool = False
    """Whether the towers' blocks compute their activations again in the backward pass: less memory, about a
    third more time."""
    channels_last: bool = False
    """Whether the image tower's convolution keeps its weights with channels last."""
    compile: bool = False
    """Whether torch.compile compiles the towers' blocks; needs a compiler, and up to a minute when a kind of
    block is first used, in training and again in scoring."""
    gathered_gradient: Literal["exact", "released"] = "exact"
    """With several processes: the global batch's gradient, or what CLIP4Clip's and AVIGATE's gather leaves of
    it (all but the logit scale divided by the number of processes, which clipping and Adam mostly undo)."""
    frozen_clip_prefixes: tuple[str, ...] = ()
    """Parameters of the towers (open_clip names) that never train."""
    selection: Annotated[
        Literal["last", "val", "test-best"], Released("test-best"), InProtocol("selection")
    ] = "val"
    """Which checkpoint is scored; `test-best` is the authors' choice and biased."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations."""
    save_minutes: float = Field(default=10, gt=0)
    """After so many minutes within an epoch the state is saved, as it is after every epoch, so that an
    interrupted run loses no more. It changes no figure, and no run's identity."""
    threads: int = Field(default=1, ge=1)
    """Threads of torch on the CPU, in training and in scoring: sums in another order have other last bits.
    Runs side by side share the cores, so more threads pay off only for a run by itself."""


class EvaluationSpec(Frozen):
    """What is scored, and how."""

    splits: tuple[str, ...] = Field(default=("test",), min_length=1)
    """Splits that are scored."""
    conditions: tuple[Condition, ...] = Field(default=("leak-free", "released"), min_length=1)
    """`leak-free`: a score knows its own text and video only. `released`: as the authors' code scores."""
    rescoring: tuple[Literal["none", "dsl", "qb-norm"], ...] = Field(
        default=("none", "dsl", "qb-norm"), min_length=1
    )
    """What is done to scores before they are ranked: nothing, dual softmax or QB-Norm, each by itself."""
    qb_bank: Literal["train", "val"] = "train"
    """Whose captions fill QB-Norm's bank of queries."""
    qb_beta: float = Field(default=20.0, gt=0)
    """QB-Norm's inverse temperature; 70 in DiCoSA's evaluation."""
    qb_theta: int = Field(default=1, ge=1)
    """Queries of the bank that must rank a video first before it is normalised; 3 in DiCoSA's evaluation."""
    qb_bank_size: int = Field(default=500, ge=1)
    """At most this many captions of the bank's split, evenly spaced."""
    engine: Engine = "exact"
    """`exact`: by algebra where the method has it, else by its modules. `modules`: by its modules."""
    precision: Precision = "float32"
    """Precision of products of float32 matrices in scoring; below float32 the scores are approximate."""
    memory_budget: int = Field(default=2048, ge=1)
    """MiB that the similarity matrix may take; a larger one is ranked in strips, without rescoring."""
    audio: Annotated[AudioAblation, Only(needs="sound"), InProtocol("audio")] = "as-is"
    """The sound of the scored videos: as it is, `muted`, `exchanged` for another clip's, `shifted` by half of
    its length, or `noise` of the same statistics. Features change, weights do not; checkpoints are chosen as
    it is."""
    picture: Annotated[PictureAblation, InProtocol("picture")] = "as-is"
    """The pictures of the scored videos: as they are, `blank` (black), or `shuffled` in time."""
    distractors: Annotated[str | None, InProtocol("distractors")] = None
    """A data set, or a folder of videos, that joins the scored galleries and answers no query."""
    tie_tolerance: Annotated[float, Field(ge=0), Released(0.0)] = 16 * 2**-23
    """Scores of a query tie when they differ by at most this share of the largest magnitude among them: 16
    units in the last place of float32, whatever their scale; as released, when they are equal."""


class RunSpec(Frozen):
    """One cell of an experiment."""

    method: Annotated[str, Axis("methods", column="method", values=partial(listed, METHODS))]
    """A method by its name, or by its title as tables print it."""
    dataset: Annotated[str, Axis("datasets", column="data", values=partial(listed, DATASETS))]
    """A data set by name."""
    recipe: Annotated[Literal["ours", "authors"], Axis()] = "ours"
    """Whose defaults are used: `authors` takes those of the released code wherever ours differ, and is what a
    `checkpoint` implies."""
    backbone: Annotated[str, Axis(values=backbone_names)] = "ViT-B-32"
    """CLIP towers by name, or a model folder."""
    audio_encoder: Annotated[str, Axis(column="audio", values=audio_encoder_names), Only(needs="sound")] = (
        "whisper-base"
    )
    """An audio encoder by name, or a model folder, with `:VARIANT` behind it where it has some."""
    frames: Annotated[int, Field(ge=1, le=256), Axis(column="frames")] = 12
    """Number of frames read from each video."""
    frame_sampling: Sampling = "segment-centres"
    """Which frames are read: the middles of as many equal parts, one a second, or every n-th one, n the
    rounded rate in frames per second (see `core.media.sampling`)."""
    text_tokens: Annotated[int, Field(ge=3), InProtocol("text_tokens")] = 77
    """Longest caption in tokens, both marks included; longer ones are cut, their end mark stays."""
    video_captions: Annotated[str, Only(needs="video_captions")] = "dataset"
    """What is said of the videos themselves, for methods that read it: `dataset` for the data set's own
    captions where it has any, `none`, or the path of a `captions.jsonl` (see `core.store.video_captions`)."""
    speech: Annotated[str, Only(needs="speech")] = "dataset"
    """What is said in the videos, for methods that read it: `dataset` for the data set's own transcripts,
    where it has any, `none`, or the path of a file of them (see `core.datasets.speech`)."""
    teacher: Annotated[str, Only(needs="teacher")] = "none"
    """Path of a file with the embeddings of picture and sound by a frozen pair of encoders, for methods that
    train on them (see `core.store.teacher`), or `none`."""
    config: Mapping[str, Any] = {}
    """The method's own configuration, complete."""
    data: Mapping[str, Any] = {}
    """The data set's own options, complete (see `core.data_options`)."""
    checkpoint: str | None = None
    """An authors' checkpoint file from whose weights the run starts, towers included; its sha256 is one of
    the run's fingerprints."""
    trained_on: Annotated[str | None, InProtocol("trained_on")] = None
    """The data set on which weights that are only scored (`bench evaluate`) were trained; None where the run
    trains its own."""
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    seeds: Annotated[Seeds, Axis(column="seed")] = Seeds()
    """Seeds of the data order, the fresh weights and the noise; one number sets all three."""

    def data_key(self) -> tuple[str, str]:
        """What two cells must agree in to ask for the same data set under the same options."""
        return self.dataset, json.dumps(self.data, sort_keys=True)

    def canonical(self) -> str:
        """What a run is, as JSON with sorted keys: equal runs give equal text, however often they save."""
        values = self.model_dump(mode="json", exclude={"training": {"save_minutes"}})
        if values["data"].get("frames_as") == "raw":  # runs from before there was a choice have no such key
            del values["data"]["frames_as"]
        return json.dumps(values, sort_keys=True)

    def digest(self, *fingerprints: str) -> str:
        """First eight hex digits over the spec, the schema and the fingerprints of data, weights and code."""
        text = "\n".join((str(SCHEMA), self.canonical(), *fingerprints))
        return sha256(text.encode()).hexdigest()[:8]


RECIPE = RunSpec.model_fields["recipe"].default
"""The recipe of a run that names none."""

NESTED: Mapping[str, type[BaseModel]] = {
    "training": TrainingSpec,
    "evaluation": EvaluationSpec,
    "seeds": Seeds,
}
"""Parts of a spec whose fields are the same for all methods and data sets."""


def dotted(spec: RunSpec) -> dict[str, Any]:
    """Every value of a spec by dotted key, as JSON has it; `method` and `dataset` included."""
    values: dict[str, Any] = {}
    for name, value in spec.model_dump(mode="json").items():
        parts = value.items() if isinstance(value, Mapping) else ()
        values |= {f"{name}.{key}": part for key, part in parts} or {name: value}
    return values


def explain(error: ValidationError) -> str:
    """A validation error as one line: key, reason, and the value that was given."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("tuple_type", "list_type") and isinstance(first["input"], str):
        named = [name.strip(" '\"") for name in first["input"][:40].strip("[ ]").split(",")]
        reason = f"must be a list, e.g. {json.dumps(named)}"
    return f"{key}: {reason}".removeprefix(": ") + f" (given {brief(first['input'])})"
