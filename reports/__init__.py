"""Tables and figures from whatever has been run."""
