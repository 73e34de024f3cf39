"""Scripts that run in the Python of another environment: `host.py` speaks with us, the others hold one model each.

They are started by file name and never imported by the pipeline; they use nothing of it, because it is not installed
there. `host.py` needs the standard library only.
"""
