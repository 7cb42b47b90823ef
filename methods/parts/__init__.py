"""What methods are composed of: a package per part, a file per kind, modules and algebra together.

One convention runs through all parts, so that paired training, training on all pairs and scoring are
the same functions: what belongs to a video is `(V, ...)` where all texts share it and `(N, V, ...)`
where each text has its own; a query is `(N, 1, D)` where all videos share it and `(N, V, D)` where
each video has its own. A matched batch is the special case of B texts against one video each.
"""
