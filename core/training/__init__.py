"""One training loop, for one process or several."""
