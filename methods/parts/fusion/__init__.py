"""Fusion: what makes fused frames out of frames, sound and, for some, a text. One file per kind."""
