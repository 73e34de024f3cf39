"""Text as speech is compared and punctuated: normalisation, punctuation, languages."""
