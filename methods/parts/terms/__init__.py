"""Objective terms beside InfoNCE: free functions of a batch of matched pairs, one idea per file."""
