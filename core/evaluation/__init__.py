"""From similarities to ranks, metrics and what they are worth."""
