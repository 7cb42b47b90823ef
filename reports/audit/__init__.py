"""`bench audit`: the verdicts on methods and on finished runs, as a table or as JSON."""
