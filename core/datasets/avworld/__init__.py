"""avworld: a small audio-visual retrieval world with real media files, captions and known truth."""
