"""The shared training and evaluation engine. It knows no method by name."""
