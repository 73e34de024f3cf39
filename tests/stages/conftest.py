"""The models of the default stages, loaded once for all tests of the stages."""

import pytest


@pytest.fixture(scope="session")
def denoiser_stage():
    from curation.stages.denoise.stage import Denoise

    return ready(Denoise())


@pytest.fixture(scope="session")
def quality_stage():
    from curation.stages.quality.stage import Quality

    return ready(Quality())


@pytest.fixture(scope="session")
def dnsmos():
    from curation.stages.quality.dnsmos import Dnsmos

    return Dnsmos()


@pytest.fixture(scope="session")
def diarizer():
    from curation.stages.diarize.stage import Diarize

    return ready(Diarize())


@pytest.fixture(scope="session")
def transcriber():
    """Whisper base, Moonshine, Whisper tiny.en."""
    from curation.stages.transcribe.stage import Transcribe

    return ready(Transcribe())


@pytest.fixture(scope="session")
def moonshine_stage():
    from curation.stages.transcribe.moonshine import MoonshineConfig
    from curation.stages.transcribe.stage import Transcribe, TranscribeConfig

    return ready(Transcribe(TranscribeConfig(systems=[MoonshineConfig()], language_system="")))


@pytest.fixture(scope="session")
def tiny():
    """Whisper tiny.en with two beams."""
    from curation.stages.transcribe.registry import build_system
    from curation.stages.transcribe.whisper import WhisperConfig

    system = build_system(WhisperConfig(name="whisper-tiny.en", model="whisper-tiny.en", beam_size=2))
    system.load()
    return system


@pytest.fixture(scope="session")
def tiny_with_times():
    """The same with the times of words."""
    from curation.stages.transcribe.registry import build_system
    from curation.stages.transcribe.whisper import WhisperConfig

    system = build_system(WhisperConfig(name="whisper-tiny.en", model="whisper-tiny.en", beam_size=2, word_times=True))
    system.load()
    return system


@pytest.fixture(scope="session")
def punctuator():
    """PocketSphinx's aligner alone."""
    from curation.stages.punctuate.stage import Punctuate, PunctuateConfig

    return ready(Punctuate(PunctuateConfig(fallback="none")))


def ready(stage):
    stage.setup()
    return stage
