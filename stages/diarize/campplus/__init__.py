"""CAM++, the speaker encoder: embeddings of utterances, of turns for the clustering, and of windows in them."""
