"""Questions about a published corpus: why, what if, who, what changed. They are asked of `segments/`, with DuckDB.

corpus    the segments of a corpus, locked: a query can read nothing else, and write nothing
judging   thresholds as SQL, so that other ones can be tried without a model
why       everything that is known of one utterance
whatif    the hours that other thresholds would keep
sample    a random sample with weights, by reason and language
top       who and what has most hours
diff      two builds of the same recordings
marks     what people said of utterances, taken into a build
estimate  the share of wrong utterances, from a sample that people have marked
page      all of it to see and hear, in a folder that opens without a server
"""
