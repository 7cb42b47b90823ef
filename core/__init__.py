"""The shared training and evaluation engine. It knows no method by name.

A run goes through its rooms in this order: `datasets` (annotations) and `media` (files to frames and sound)
fill the `store`, `encoders` make features of it, `training` fits a method's weights, `scoring` compares every
text with every video, `evaluation` ranks and measures, and `running` leads many such runs from an experiment
file to their folders. `audit` checks any method from outside. Beside them stands what all rooms share: the
contract of a method (`method`), what a run is (`spec`), a batch of videos (`batch`), errors, paths, progress.
"""
