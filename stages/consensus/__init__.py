"""Consensus: pairwise WER, one text from several hypotheses, calibrated confidence."""
