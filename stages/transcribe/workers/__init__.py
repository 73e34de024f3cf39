"""Scripts for the Python of another environment: `host.py` talks to the pipeline, the others hold one model each.

They are started by file name and never imported by the pipeline; they import nothing of it, because it is not installed
there. `host.py` needs the standard library only.
"""
