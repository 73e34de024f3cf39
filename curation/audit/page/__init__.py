"""The page of `curation audit`: a folder that opens from file://, without a network.

write     the folder, from a published corpus
cube      hours by language and by the bins of every threshold: what sliders add up exactly
totals    hours outside of segments; by speaker, recording and language
sample    which segments the page shows, with their weights
rows      their texts, hypotheses, scores and word times
systems   how often systems disagree
cuts      their audio: as published, and as recorded
chunks    files of data that a page may load from file://
text      what strings of strangers may hold on a page
"""
