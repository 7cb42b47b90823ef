"""Names on the command line, checked against the sources before anything heavy is imported."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from core.datasets.locations import holds_captions, named_in_settings
from core.errors import BenchError, unknown_name
from core.plugins import DATASETS, METHODS, Kind, in_their_case, names_of
from core.titles import called, titles_in_sources

EXPERIMENTS = Path(__file__).parents[2] / "benchmarks"


def known(kind: Kind, names: Sequence[str], own: Sequence[str] = ()) -> tuple[str, ...]:
    """The names as they are registered, or among the user's `own`, whatever their case and hyphens.

    Titles, as tables print them, name methods too. Raises `BenchError` for one that no source gives; where a
    source does not tell, the registry does later.
    """
    registered = names_of(kind)
    if registered is None:
        return tuple(names)
    registered |= set(own)
    if set(names) <= registered:
        return tuple(names)
    titles = titles_in_sources() if kind is METHODS else {}
    found = tuple(called(name, registered, titles) for name in names)
    for name in found:
        if name not in registered:
            raise unknown_name(kind.noun, name, registered, kind.where)
    return found


def methods_named(names: Sequence[str]) -> tuple[str, ...]:
    """The methods of those names; raises as `known`."""
    return known(METHODS, names)


def registered(flags: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The values of the axes' options, those that are names as they are registered; raises as `known`."""
    checks = {
        "methods": methods_named,
        "datasets": datasets_named,
        "audio_encoder": audio_encoders_named,
        "backbone": backbones_named,
    }
    return {axis: checks[axis](given) if axis in checks else given for axis, given in flags.items()}


def backbones_named(names: Sequence[str]) -> tuple[str, ...]:
    """The CLIP towers of those names, paths included; raises `BenchError` for another."""
    return tuple(encoder_named("backbone", name) for name in names)


def encoder_named(kind: Literal["backbone", "audio encoder"], name: str) -> str:
    """The encoder of that name, whatever its case and hyphens, or a path; raises `BenchError` for another."""
    from core.encoders.entry import encoders, known_encoder

    found = name if Path(name).expanduser().exists() else called(name, encoders(kind))
    try:
        return known_encoder(kind, found)
    except BenchError as error:
        if not str(error).startswith("unknown"):
            raise
        raise BenchError(f"{error}; or a model folder by its path") from error


def dataset_named(name: str) -> str:
    """The data set of that name; raises as `known`."""
    return datasets_named([name])[0]


def subjects_named(names: Sequence[str]) -> tuple[str, ...]:
    """Methods by name, and folders of runs as they are; raises as `known`."""
    return tuple(name if "/" in name or Path(name).is_dir() else methods_named([name])[0] for name in names)


def datasets_named(names: Sequence[str]) -> tuple[str, ...]:
    """The data sets of those names, the user's own among them; raises as `known`."""
    return known(DATASETS, names, named_in_settings() if names else ())


def dataset_to_add(name: str, root: Path | None, captions: Path | None) -> str:
    """A data set that is known, or a new name for videos of the user's own, which come with captions.

    Raises `BenchError` for an unknown name without captions.
    """
    registered, own = names_of(DATASETS), named_in_settings()
    if registered is None:
        return name
    found = in_their_case(name, (*registered, *own))
    if found in registered or found in own or captions or (root and holds_captions(root)):
        return found
    error = unknown_name(DATASETS.noun, name, [*registered, *own], DATASETS.where)
    raise BenchError(f"{error}; for videos of your own name them: --videos DIR --captions FILE")


def audio_encoders_named(names: Sequence[str]) -> tuple[str, ...]:
    """The audio encoders of those names, variants and paths included; raises `BenchError` for another."""
    if not names:
        return ()
    from core.encoders.entry import split_variant

    found = []
    for name in names:
        base, variant = split_variant(name)
        own = encoder_named("audio encoder", base)
        found.append(f"{own}:{variant}" if variant else own)
    return tuple(found)


def experiment_named(words: Sequence[str]) -> str:
    """The experiment that the words after `run` name: one of benchmarks/, or the path of a file.

    Raises `BenchError` for an unknown one, and for several words, which are a list without commas.
    """
    shipped = [path.stem for path in EXPERIMENTS.glob("*.yaml")]
    if len(words) > 1:
        raise BenchError(
            f"one experiment at a time, not {' '.join(words)}; separate the values of an option with commas, "
            f"e.g. --methods gaid,{words[0]}"
        )
    if not words:
        return "default"
    name = in_their_case(words[0], tuple(shipped))
    if name in shipped or Path(name).is_file():
        return name
    registered = names_of(METHODS) or set()
    if in_their_case(name, tuple(registered)) in registered:
        raise BenchError(
            f"'{name}' is a method, not an experiment; write --methods {name}, separate several with a comma"
        )
    if name.endswith((".yaml", ".yml")) or set(name) & set("/\\"):
        raise BenchError(
            f"{name}: no such file; give the path of a YAML file, or a name: ls benchmarks/*.yaml"
        )
    raise unknown_name("experiment", name, shipped, "ls benchmarks/*.yaml")


def require_encoders(cells: Iterable[tuple[str, str, str | None]]) -> None:
    """Raises `BenchError` for an unknown backbone or audio encoder; nothing of them is loaded.

    Of each cell both names and the checkpoint, without which there is none of the encoders in it.
    """
    from core.encoders.audio import FASTEST, FRONTENDS
    from core.encoders.entry import IN_FILE, split_variant

    variants = {FASTEST, *(variant for frontends in FRONTENDS.values() for variant in frontends)}
    for backbone, audio_encoder, checkpoint in dict.fromkeys(cells):
        if checkpoint and not Path(checkpoint).exists():
            raise BenchError(f"checkpoint {checkpoint}: no such file")
        if IN_FILE in (backbone, split_variant(audio_encoder)[0]) and not checkpoint:
            raise BenchError(
                f"encoder '{IN_FILE}' is a checkpoint's own; pass --checkpoint FILE, or name one"
            )
        encoder_named("backbone", backbone)
        audio_encoders_named([audio_encoder])
        base, variant = split_variant(audio_encoder)
        if variant not in variants:
            raise unknown_name(f"variant of {base}", variant, variants - {""})
