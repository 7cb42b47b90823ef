"""Perturbation: a caption as a ball around its embedding. One file per kind."""
