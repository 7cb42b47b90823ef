"""Enrichment: what rewrites frames from patches, sound and captions before the fusion."""
