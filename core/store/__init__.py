"""What is decoded and encoded once and then read from disk."""
