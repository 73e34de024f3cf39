"""Real recordings in Python packages, as references for the model store: for demonstrations and for fitting."""

TWO_SPEAKERS = "pkg:pyannote.audio:sample/sample.wav"
"""A telephone dialogue of two speakers, 30 s."""
TWO_CITIES = "pkg:moonshine_voice:assets/two_cities.wav"
"""A reading from A Tale of Two Cities, 44 s, 48 kHz."""
BECKETT = "pkg:moonshine_voice:assets/beckett.wav"
"""A short reading with long pauses, 10 s."""
DIALOGUE = (
    "pypi:moonshine-voice==0.1.5:moonshine_voice/assets/endgame_nagg_nell.wav"
    "#sha256=78f44dc6d3da32ecab0c37f391700f0569f4612b8e0be2ecbaf33e1d3d566474"
)
"""A theatre dialogue, two speakers, 24 kHz; only in another version of moonshine-voice than the installed one."""
