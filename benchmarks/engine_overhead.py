"""What the training engine costs beside the encoders: its step against a bare loop over the same towers.

`python -m benchmarks.engine_overhead` times both in turn, in one process, on a CLIP ViT-B/32 with random
weights, 8 pairs of 4 frames: the bare loop encodes the same pixels and captions, takes the gradient of a
plain InfoNCE and steps; the engine reads a store, crops, runs the method and its loss, clips, steps,
and logs. Process CPU time, medians.
"""
