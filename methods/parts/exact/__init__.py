"""Composed methods by algebra: what each part is as a mix of a few vectors per video (`core.scoring.basis`).

`gated.py` writes fused frames as mixes of picture and sound, `attention.py` text-conditioned pooling as a
mix of what attention puts out per frame, `perturbed.py` holds perturbed texts against mixes, `index.py` joins
them into a method's basis and scores, and `released.py` does so for the authors' evaluation. Shapes are
`(V, C, N)` for coefficients and `(V, N, D)` for what has the full width, both over the videos first.
"""
