"""Text of transcripts: normalisation for comparison, punctuation, language codes."""
