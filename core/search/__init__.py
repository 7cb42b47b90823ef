"""Search in videos of one's own with a finished run: an index of a folder, asked with words or a clip."""
