"""Interaction: how a text, perturbed or not, and a pooled video become a similarity. One file per kind."""
