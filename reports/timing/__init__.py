"""Tables, text and figure of a timing study."""
