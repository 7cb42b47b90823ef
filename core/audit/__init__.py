"""Protocol checks that every method must pass; they need nothing but the contract of `core.method`.

One file per kind of check. A method is audited untrained, on features of pure noise, where every leak shows
and nothing else can. What a finished run tells afterwards is audited by `reports.audit`.
"""
