"""Published corpora in the formats of other trainers: `curation export FORMAT CORPUS OUT`.

run          an export from start to end, and the registry of formats
corpus       the utterances that are chosen, with their audio
ids          names that every consumer takes
folder       a folder that appears when it is whole
shards       utterances in files of equal hours, and tar files of them
nemo, huggingface, croissant, lhotse, webdataset, energon, kaldi, emilia     one format each
"""
