"""RunSpec: what a run is. Everything that can change a number stands here, and nothing else does.

Precedence, later wins: the defaults below, the method's recipe, what the authors set for the data
set, the data set's recipe (small worlds need other rates), the command line's axes, `--set`.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.datasets import find_dataset
from core.errors import BenchError, unknown_name
from core.method import find_method
from core.scoring.scoring import Condition, Engine, Precision

SCHEMA = 2
"""Version of the run directory's files; a reader refuses another one."""


class Frozen(BaseModel):
    """Immutable, unknown keys and infinite numbers refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class TrainingSpec(Frozen):
    """How a run trains. Rates are per step; `warmup` is a share of all steps."""

    mode: Literal["frozen", "text-tuned", "finetune"] = "finetune"
    """What trains beside the method: nothing, the text tower, or both towers."""
    epochs: int = Field(default=5, ge=0)
    captions: Literal["every", "one"] = "every"
    """What an epoch visits: every caption, or each video once with one caption at random (CLIP4Clip's two
    ways, `expand_msrvtt_sentences` on and off)."""
    batch_size: int = Field(default=32, ge=2)
    drop_last: bool = False
    """Whether an incomplete last batch is left out, as CLIP4Clip and AVIGATE do."""
    optimizer: Literal["adamw", "bertadam"] = "adamw"
    schedule: Literal["warmup-cosine", "bert-warmup-cosine", "constant"] = "warmup-cosine"
    warmup: float = Field(default=0.1, ge=0, lt=1)
    lr_new: float = Field(default=1e-5, gt=0)
    """Rate of the method's new modules."""
    lr_clip: float = Field(default=1e-6, gt=0)
    """Rate of CLIP's towers and of the logit scale."""
    lr_factors: Mapping[str, float] = {}
    """Multiples of `lr_new` for a method's named groups, e.g. AVIGATE's query tokens."""
    weight_decay: float = Field(default=0.2, ge=0)
    decay_biases: bool = True
    """X-Pool's family decays every parameter; CLIP4Clip and AVIGATE leave biases out."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest global gradient norm."""
    crop: Literal["centre", "random"] = "centre"
    """Training frames under `finetune`: the central square (CLIP4Clip, AVIGATE), or a random one per clip
    and epoch, mirrored every second time (X-Pool, T-MASS, GAID). Scoring always takes the centre."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the towers' arithmetic in training (autocast; float16 with loss scaling). Weights, the method, the
    loss and everything in scoring stay in float32."""
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
    selection: Literal["last", "val", "test-best"] = "val"
    """Which checkpoint is scored; `test-best` is the authors' choice and biased."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations."""


class EvaluationSpec(Frozen):
    """What is scored, and how."""

    splits: tuple[str, ...] = Field(default=("test",), min_length=1)
    conditions: tuple[Condition, ...] = Field(default=("query", "released"), min_length=1)
    rescoring: tuple[Literal["none", "dsl", "qb-norm"], ...] = Field(
        default=("none", "dsl", "qb-norm"), min_length=1
    )
    qb_bank: Literal["train", "val"] = "train"
    """Whose captions fill QB-Norm's bank of queries."""
    qb_bank_size: int = Field(default=500, ge=1)
    """At most this many captions of the bank's split, evenly spaced."""
    engine: Engine = "exact"
    """`exact`: by algebra where the method has it, else by its modules. `modules`: by its modules."""
    precision: Precision = "float32"
    """Of products of float32 matrices in scoring; below float32 scores are approximate, and say so."""
    memory_budget: int = Field(default=2048, ge=1)
    """MiB that the similarity matrix may take; a larger one is ranked in strips, without rescoring."""
    tie_tolerance: float = Field(default=1e-6, ge=0)
    """Scores (cosines) tie when they differ by at most this much."""


class RunSpec(Frozen):
    """One cell of an experiment."""

    method: str
    dataset: str
    backbone: str = "ViT-B-32"
    audio_encoder: str = "whisper-base"
    frames: int = Field(default=12, ge=1, le=256)
    frame_sampling: Literal["segment-centres", "one-per-second"] = "segment-centres"
    text_tokens: int = Field(default=77, ge=3)
    """Longest caption in tokens, both marks included; longer ones are cut, their end mark stays."""
    video_captions: str = "dataset"
    """What is said of the videos themselves, for methods that read it: `dataset` for the data set's own
    captions where it has any, `none`, or the path of a `captions.jsonl` (see `core.store.video_captions`)."""
    config: Mapping[str, Any] = {}
    """The method's own configuration, complete."""
    data: Mapping[str, Any] = {}
    """The data set's own options, complete (see `core.data_options`)."""
    checkpoint: str | None = None
    """File of an authors' checkpoint from whose weights the run starts, towers included; its sha256 is one of
    the run's fingerprints."""
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    seeds: Seeds = Seeds()

    def canonical(self) -> str:
        """The spec as JSON with sorted keys; equal specs give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def digest(self, *fingerprints: str) -> str:
        """First eight hex digits over the spec, the schema and the fingerprints of data and weights."""
        text = "\n".join((str(SCHEMA), self.canonical(), *fingerprints))
        return sha256(text.encode()).hexdigest()[:8]


def parse_assignment(text: str) -> tuple[str, Any]:
    """`key=value` of `--set`; the value is JSON where it parses as such, else a string.

    Raises `BenchError` where there is no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BenchError(f"--set {text!r} is not of the form key=value, e.g. --set training.epochs=2")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def known_keys(method: str, dataset: str) -> set[str]:
    """Every dotted key that a spec of that method on that data set takes."""
    nested: dict[str, type[BaseModel]] = {
        "training": TrainingSpec,
        "evaluation": EvaluationSpec,
        "seeds": Seeds,
        "config": find_method(method).Config,
        "data": find_dataset(dataset).options,
    }
    plain = set(RunSpec.model_fields) - set(nested) - {"method", "dataset"}  # a cell is made for these two
    return plain | {f"{part}.{name}" for part, model in nested.items() for name in model.model_fields}


def dotted(spec: RunSpec) -> dict[str, Any]:
    """Every value of a spec by dotted key, as JSON has it; `method` and `dataset` included."""
    values: dict[str, Any] = {}
    for name, value in spec.model_dump(mode="json").items():
        parts = value.items() if isinstance(value, Mapping) else ()
        values |= {f"{name}.{key}": part for key, part in parts} or {name: value}
    return values


def layers(method: str, dataset: str) -> Iterator[Mapping[str, Any]]:
    """The defaults of a method on a data set, weakest first, as dotted keys."""
    cls = find_method(method)
    yield cls.recipe
    yield cls.dataset_defaults.get(dataset, {})
    recipe, known = find_dataset(dataset).recipe, known_keys(method, dataset)
    # A recipe speaks to all methods; a key of a part that this method lacks does not concern it.
    yield {key: value for key, value in recipe.items() if not key.startswith("config.") or key in known}


def resolve(method: str, dataset: str, overrides: Mapping[str, Any]) -> RunSpec:
    """The complete spec of a cell; `overrides` are dotted keys and win over every default.

    Raises `BenchError` for an unknown key (with the nearest right one) or a value out of range.
    """
    known = known_keys(method, dataset)
    values: dict[str, Any] = {"method": method, "dataset": dataset}
    for layer in (*layers(method, dataset), overrides):
        for key, value in layer.items():
            if key not in known:
                raise unknown_name(f"key of {method} on {dataset}", key, known)
            values[key] = value
    nested: dict[str, Any] = {}
    for key, value in values.items():
        part, dot, name = key.partition(".")
        nested.setdefault(part, {})[name] = value if dot else None
        if not dot:
            nested[part] = value
    try:
        config = find_method(method).Config(**nested.pop("config", {}))
        data = find_dataset(dataset).options(**nested.pop("data", {}))
        return RunSpec(**nested, config=config.model_dump(mode="json"), data=data.model_dump(mode="json"))
    except ValidationError as error:
        raise BenchError(f"{method} on {dataset}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """A validation error as one line: key, reason, and the value that was given."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "configuration"
    return f"{key}: {first['msg']} (given {first['input']!r})"
