"""Objective: the terms of the training loss. One file per term."""
