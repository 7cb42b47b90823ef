"""The authors' evaluation re-stated with its loops, to be timed and for nothing else.

X-Pool, T-MASS and GAID pool every video with every text into one `(V, N, D)` tensor, sort its vectors into
a dictionary one pair at a time, perturb the texts video by video and trial by trial, and multiply every
gallery with every gallery. `methods.released` computes the same scores without any of that; this room keeps
the procedure, in our own words and without the authors' code, so that `bench time` can say what it costs.
"""
