"""The backbones: CLIP towers (open_clip) and audio encoders (transformers), as the methods see them."""
