"""Evaluation: test sets, judges, scores, reports, serving speed."""
