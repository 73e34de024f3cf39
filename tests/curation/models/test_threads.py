"""Threads of one thread alone: what runs beside it keeps its own number."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import ThreadpoolController

from curation.models.threads import cpu_threads, load_apart


@pytest.fixture
def two_threads():
    """torch on two threads in this one, and in those that begin meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def of_a_new_thread():
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(torch.get_num_threads).result()


@pytest.mark.usefixtures("two_threads")
def test_the_number_is_for_the_thread_that_asks_for_it():
    with cpu_threads(1):
        assert torch.get_num_threads() == 1
        assert of_a_new_thread() == 2
        with cpu_threads(3):
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 2
    assert of_a_new_thread() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_thread_that_has_not_used_torch_before_has_it_too():
    """A server's, say: torch sets its number at the first use."""

    def limited():
        with cpu_threads(1):
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(limited).result() == 1


@pytest.mark.usefixtures("two_threads")
def test_it_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), cpu_threads(1):
        _ = 1 / 0
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_what_is_loaded_apart_changes_only_its_own_thread():
    """CTranslate2 sets OpenMP's number, for good, in the thread that loads a model."""

    def load():
        torch.get_num_threads()  # in a new thread torch sets the number first
        ThreadpoolController().limit(limits=1, user_api="openmp")
        return torch.get_num_threads()

    assert load_apart(load) == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match="no such model"):
        load_apart(lambda: (_ for _ in ()).throw(ValueError("no such model")))


@pytest.mark.usefixtures("two_threads")
def test_models_of_ctranslate2_leave_torch_its_threads():
    """They set OpenMP's number where they are loaded."""
    from curation.stages.punctuate.whisper import WhisperAligner, WhisperAlignerConfig
    from curation.stages.transcribe.whisper import Whisper, WhisperConfig
    from curation.tokenize.compact.features import WhisperStates

    for load in (
        WhisperStates,
        Whisper(WhisperConfig(name="w", model="whisper-tiny.en", threads=1)).load,
        WhisperAligner(WhisperAlignerConfig(model="whisper-tiny.en", threads=1)).load,
    ):
        load()
        assert torch.get_num_threads() == 2
