"""The authors' evaluation, where it differs from leak-free scoring.

`own_captions` computes the released scores of T-MASS and GAID, by the modules and by algebra, and `captions`
says which caption of a video is which. `procedure`, with `grouping` and the perturbations' `looped`, restates
the released loops in our own words, to be timed and for nothing else: X-Pool, T-MASS and GAID pool every
video with every text into one `(V, N, D)` tensor, sort its vectors into a dictionary one pair at a time,
perturb the texts video by video and trial by trial, and multiply every gallery with every gallery.
"""
