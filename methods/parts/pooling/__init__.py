"""Pooling: from the fused frames of a video to what a text is compared with. One file per kind."""
