"""How long scoring takes: a stopwatch, and a study of released procedure, tiled modules and exact engine."""
