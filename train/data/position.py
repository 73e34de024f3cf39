"""The position in the data, as plain values for a checkpoint: of one rank, or of all of them together."""

from collections.abc import Sequence
from typing import Any

from curation.core.errors import DataError
from curation.train.data.blocks import Blocks

State = dict[str, Any]
VERSION = 1


def identity_of(blocks: Blocks) -> dict[str, Any]:
    """Everything that decides the order of samples."""
    return {
        "corpus": blocks.corpus.identity,
        "tokenizers": blocks.corpus.tokenizers["fingerprint"],
        "vocabulary": blocks.vocabulary.fingerprint,
        "phase": blocks.phase,
        **blocks.config.model_dump(mode="json", exclude={"prefetch", "epochs", "pretrain", "sft", "code_noise"}),
        "weights": blocks.config.weights(blocks.phase).model_dump(),
    }


def check_identity(state: State, identity: dict[str, Any]) -> None:
    """Raise DataError where a state was saved with other data or settings."""
    if state.get("version") != VERSION:
        msg = f"position in the data: version {state.get('version')}, this software reads {VERSION}"
        raise DataError(msg)
    saved = state["identity"]
    changes = [
        f"{name} was {saved.get(name)!r} and is {identity.get(name)!r}"
        for name in sorted(saved.keys() | identity.keys())
        if saved.get(name) != identity.get(name)
    ]
    if changes:
        msg = f"cannot go on at the saved position in the data: {'; '.join(changes)}"
        raise DataError(msg)


def merge_states(states: Sequence[State]) -> State:
    """The position of all ranks together, which any number of ranks can load.

    Raises DataError where a rank is missing or they do not stand at the same step. In the last rows of bounded epochs
    ranks that share a lane differ; then a few of those rows may be passed over.
    """
    if not states:
        msg = "position in the data: no states to merge"
        raise DataError(msg)
    ranks = sorted(state["rank"] for state in states)
    if ranks != list(range(states[0]["world"])):
        msg = f"position in the data: states of the ranks {ranks}, expected all of {states[0]['world']}"
        raise DataError(msg)
    for state in states[1:]:
        check_identity(state, states[0]["identity"])
    places = sorted({state["next"] for state in states})
    # Once a lane has come to the end of the last epoch, its ranks go past its places, and the steps tell apart.
    tail = any(state["tail"] for state in states)
    if len(places) > 1 and not tail:
        msg = f"position in the data: the ranks stand at different rows ({places}): save between steps"
        raise DataError(msg)
    # The rank that had a lane's last row knows where the lane is; the others know an earlier place.
    lanes = [max(positions) for positions in zip(*(state["lanes"] for state in states), strict=True)]
    return {**states[0], "rank": 0, "world": 1, "next": places[-1], "tail": tail, "lanes": lanes}
