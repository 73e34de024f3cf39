"""`curation audit serve`: the page of the audit with all segments behind it, for this machine and its user only.

It runs on FastAPI and uvicorn, as `curation serve` does, rather than on `http.server` of the standard library, whose
documentation advises against it where strangers may send requests: any page in the user's browser can.

gate      who may ask: a token, the name of the host, the place of the session
app       the page, SQL, segments by their ids, and their audio
listen    from a corpus to a link
"""
