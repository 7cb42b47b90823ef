"""The similarity of every text with every video."""
