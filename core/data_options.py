"""What a run may choose about its data set: part of the spec (`data.*`), of its hash and of the protocol."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.axes import Only, Released

MissingPolicy = Literal["fail", "count-as-miss", "drop"]
KeptVideos = Literal["all", "with-audio-file"]
Sampling = Literal["segment-centres", "one-per-second", "every-nth"]
"""Which frames are read; see `core.media.sampling`."""
Resize = Literal["antialiased", "tensor", "tensor-antialiased"]
"""See `core.media.resizing`."""
FramesAs = Literal["raw", "jpeg"]
"""See `core.store.jpeg`."""
Reader = Literal["own", "opencv"]
"""See `core.media.opencv`."""
Channels = Literal["mean", "left"]
SoundEnd = Literal["picture", "file"]
"""See `core.media.hearing`."""


class DataOptions(BaseModel):
    """Options of every data set; a data set with more of them has a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    only: KeptVideos = "all"
    """Which videos count: `all`, or, `with-audio-file`, those that have a file under `--audio`, in every
    split. GRAM's and TRIANGLE's released loaders thin the test set so, to 884 of MSR-VTT's 1,000 clips."""
    missing: MissingPolicy = "fail"
    """What becomes of videos without a file that decodes (see `core.datasets.missing`)."""
    resize: Resize = "antialiased"
    """How frames come to the image tower's size: bicubic on 8 bits as Pillow does it, or on floats without
    rounding, as X-Pool and T-MASS do without antialiasing (`tensor`) and GAID with (`tensor-antialiased`)."""
    reader: Annotated[Reader, Released("opencv")] = "own"
    """Who numbers the frames and converts the colours: `own` takes the frames that decode, of FFmpeg's best
    track, in the colours that the file states; `opencv` what the authors' loaders get from OpenCV 4.7."""
    frames_as: FramesAs = "raw"
    """How decoded frames are kept: `raw`, bit by bit, or as `jpeg` files of quality 95, which take about a
    fifth of the space and longer to read. What that loses is measured, and is part of the protocol."""
    channels: Annotated[Channels, Only(needs="sound")] = "mean"
    """Which channels are heard: their `mean` (the first one in seconds in which they cancel each other), or
    the `left` one alone, as AVIGATE's filter bank does."""
    sound_end: Annotated[SoundEnd, Only(needs="sound"), Released("file")] = "picture"
    """How long sound is: with the `picture`, on its clock, padded with silence to the clip's end; or the
    whole track of the `file` whatever the picture's, its time stamps ignored: AVIGATE's (`left`) at its own
    rate, GAID's (`mean`) as moviepy extracts it, for as long as the container states."""


class HeldOutOptions(DataOptions):
    """Options of a data set whose `val` is a part of its training videos."""

    holdout: Annotated[float, Field(ge=0, lt=1), Released(0.0)] = 0.05
    """Share of the training videos that becomes `val`; 0 trains on all of them and leaves no `val`,
    as released (see `core.datasets.holdout`)."""
