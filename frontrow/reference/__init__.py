"""The parts of the documentation's site that are made from the code; `make site` makes it.

They are made anew each time, so they cannot differ from the code. `frontrow.reference.site` adds them to
MkDocs.
"""
