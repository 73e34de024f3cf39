"""Montreal Forced Aligner, in this process or by its command."""
