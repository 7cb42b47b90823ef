"""The names by which a spec asks for conditions, engines, precisions and laws of noise."""

from typing import Literal

Condition = Literal["leak-free", "released"]
"""`leak-free`: as a search engine could score. `released`: as the authors' evaluation code scores,
own-caption leak included."""

Engine = Literal["exact", "modules"]
"""`exact`: by algebra where the method has it, by its modules elsewhere. `modules`: by its modules."""

Precision = Literal["float32", "tf32", "bfloat16"]
"""What products of float32 matrices may round their inputs to. Anything below float32 is approximate."""

NoiseMode = Literal["per-text", "fresh"]
"""One draw per text and trial that all videos share, or one for every pair (as released)."""
AudioAblation = Literal["as-is", "muted", "exchanged", "shifted", "noise"]
"""What becomes of the sound of the scored videos (see `core.evaluation.ablation`)."""
PictureAblation = Literal["as-is", "blank", "shuffled"]
"""What becomes of their pictures."""
