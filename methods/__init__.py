"""The methods: one file each, composed of the parts in `methods.parts`."""
