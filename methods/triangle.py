"""TRIANGLE: the area of the triangle between a text, a picture and a sound.

"A TRIANGLE Enables Multimodal Alignment Beyond Cosine Similarity", NeurIPS 2025; as methods/gram.py but for

    M = (|t - v|^2 |t - a|^2 - ((t - v) . (t - a))^2) / 2          methods/parts/interaction/volume.py: areas

as released: twice the square of the area. A text that equals the picture, or the sound, scores best whatever
the other is. Without sound the Gram matrix of t - v and t - a has a row of the identity, and M is
`|t - v|^2 / 2 = 1 - cos`.
"""

from typing import ClassVar, Literal

from methods.gram import Gram, GramConfig


class TriangleConfig(GramConfig):
    """TRIANGLE's defaults."""

    interaction: Literal["volume", "height", "area"] = "area"
    """What is measured; small is similar."""


class Triangle(Gram):
    """Minus the area between text, picture and sound."""

    name: ClassVar[str] = "triangle"
    title: ClassVar[str] = "TRIANGLE"
    paper: ClassVar[str] = "TRIANGLE, NeurIPS 2025"
    Config: ClassVar[type[GramConfig]] = TriangleConfig
