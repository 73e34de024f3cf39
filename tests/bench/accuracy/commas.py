"""Are the marks where a writer puts them? Recordings with transcripts through the default stages, by several rules.

    python -m tests.bench.accuracy.commas FOLDER ...

Each folder holds `manifest.jsonl` with the columns path, language and transcript; the repository's own readings, whose
texts are below, are always measured. Marks inside a recording's text count where its word is found in the transcript:
precision is the share of ours that the transcript has, recall the share of the transcript's that we have. `inserted`
and `removed` are edits of the stage: right where the transcript has, or has not, a mark.
"""

import argparse
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from opencc import OpenCC
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Edit, Recording, Segment, Source
from curation.models.store import resolve
from curation.pipeline.assemble import build_stages
from curation.pipeline.config import BuildConfig, load_config
from curation.stages.base import run_stage
from curation.stages.decode.stage import decode_spans
from curation.stages.punctuate.base import Placed, Spoken
from curation.stages.punctuate.pauses import pauses_ms, spoken_words
from curation.stages.punctuate.stage import Punctuate, writings_of
from curation.text.punctuation import MARKS, Limits, Pieces, refine, split
from curation.text.written import mark_shares
from tests.support.real_speech import BECKETT, LIBRIVOX, TWO_CITIES

READINGS = {
    TWO_CITIES: "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the "
    "season of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had "
    "nothing before us, we were all going direct to Heaven, we were all going direct the other way - in short, the "
    "period was so far like the present period, that some of its noisiest authorities insisted on its being received, "
    "for good or for evil, in the superlative degree of comparison only.",
    BECKETT: "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    f"path:{LIBRIVOX[0]}": "And Mr. John Dashwood had then leisure to consider how much there might be prudently in "
    "his power to do for them.",
    f"path:{LIBRIVOX[1]}": "He was not an ill-disposed young man",
    f"path:{LIBRIVOX[2]}": "unless to be rather cold hearted and rather selfish is to be ill-disposed",
    f"path:{LIBRIVOX[3]}": "Had he married a more amiable woman, he might have been made still more respectable than "
    "he was",
    f"path:{LIBRIVOX[4]}": "he might even have been made amiable himself",
}
"""Dickens, Beckett and Austen, as they wrote it."""
SIMPLIFIED = OpenCC("t2s")
Rules = Callable[[Segment, Placed], tuple[str, list[Edit]]]
ALONE = Limits(insert_ms=300, remove_ms=50, unwritten_ms=300, keep_share=2)


def as_written(segment: Segment, placed: Placed) -> tuple[str, list[Edit]]:
    """The text of the consensus."""
    return segment.text, []


def by_pauses(segment: Segment, placed: Placed) -> tuple[str, list[Edit]]:
    """The paper's rules: the pauses of the aligner alone."""
    if placed is None:
        return segment.text, []
    comma_only = "" if segment.language == "en" else segment.language
    return refine(segment.text, pauses_ms(placed), language=comma_only, limits=ALONE)


def without_writings(segment: Segment, placed: Placed) -> tuple[str, list[Edit]]:
    """As where no ASR system writes marks: a text without marks inside, pauses without speech, phrases."""
    pieces = split(segment.text)
    gaps = ["".join(char for char in gap if char not in MARKS) for gap in pieces.gaps]
    bare = Pieces(pieces.words, [gaps[0], *(gap or " " for gap in gaps[1:-1]), gaps[-1]]).join()
    if placed is None or len(split(bare).words) != len(pieces.words):
        return bare, []
    pauses = pauses_ms(placed, segment.audio, Punctuate().config.max_speech_ms)
    return refine(bare, pauses, language=segment.language)


def as_used(segment: Segment, placed: Placed) -> tuple[str, list[Edit]]:
    """The stage with its defaults."""
    if placed is None:
        return segment.text, []
    config = Punctuate().config
    return refine(
        segment.text,
        pauses_ms(placed, segment.audio, config.max_speech_ms),
        language=segment.language,
        limits=config.limits,
        shares=mark_shares(segment.text, writings_of(segment)),
    )


RULES: dict[str, Rules] = {
    "as the systems wrote": as_written,
    "pauses alone (before)": by_pauses,
    "no system writes marks": without_writings,
    "default": as_used,
}


def tokens(text: str) -> tuple[list[str], set[int]]:
    """Words (simplified characters of Chinese) without case, and the indices of those that a mark follows."""
    pieces = split(unicodedata.normalize("NFKC", "".join(map(SIMPLIFIED.convert, text))).lower())
    return pieces.words, {i for i, gap in enumerate(pieces.gaps[1:]) if any(char in MARKS for char in gap)}


def count(recording: list[tuple[Segment, Placed]], transcript: str, rules: Rules) -> Counter[str]:
    """What the marks of one recording's text are against its transcript."""
    reference, theirs = tokens(transcript)
    theirs.discard(len(reference) - 1)
    words: list[str] = []
    ours: set[int] = set()
    edits: list[tuple[str, int]] = []
    for segment, placed in recording:
        text, made = rules(segment, placed)
        found, after = tokens(text)
        edits += [(edit.kind, len(words) + edit.position) for edit in made if edit.kind != "recase"]
        ours |= {len(words) + index for index in after}
        words += found
    ours.discard(len(words) - 1)
    blocks = Levenshtein.opcodes(reference, words).as_matching_blocks()
    pairs = {block.b + i: block.a + i for block in blocks for i in range(block.size)}
    marks = [pairs[index] in theirs for index in ours if index in pairs]
    known = [(kind, pairs[index] in theirs) for kind, index in edits if index in pairs]
    return Counter(
        hits=sum(marks),
        ours=len(marks),
        theirs=len(theirs & set(pairs.values())),
        inserted=sum(kind == "insert" for kind, _ in known),
        inserted_right=sum(kind == "insert" and mark for kind, mark in known),
        removed=sum(kind == "remove" for kind, _ in known),
        removed_right=sum(kind == "remove" and not mark for kind, mark in known),
    )


def sources(folders: Iterable[Path]) -> list[tuple[str, Source]]:
    """(set, recording) with its transcript."""
    found = [("readings", Source(name, str(resolve(name)), "en", transcript=text)) for name, text in READINGS.items()]
    for folder in folders:
        for line in (folder / "manifest.jsonl").read_text().splitlines():
            row = json.loads(line)
            source = Source(row["path"], str(folder / row["path"]), row["language"], transcript=row["transcript"])
            found.append((f"{folder.name} {row['language']}", source))
    return found


def labelled(config: BuildConfig, chosen: Iterable[Source]) -> list[Recording]:
    """The recordings after the consensus, all of a batch of their own stage by stage."""
    recordings = [span for source in chosen for span in decode_spans(source, config.decode)]
    for stage in build_stages(config):
        if stage.name == Punctuate.name:
            break
        stage.setup()
        run_stage(stage, recordings)
    return recordings


def aligned(recordings: Iterable[Recording]) -> dict[str, list[tuple[Segment, Placed]]]:
    """The utterances with a text and the places of their words, by recording."""
    stage = Punctuate()
    stage.setup()
    found: dict[str, list[tuple[Segment, Placed]]] = {}
    for recording in recordings:
        live = [segment for segment in recording.live_segments if segment.text and segment.audio is not None]
        spoken = [Spoken(item.audio, spoken_words(split(item.text)), item.language) for item in live]
        places = [placed for _, placed in stage._align(spoken)]
        found.setdefault(recording.source.id, []).extend(zip(live, places, strict=True))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    chosen = sources(parser.parse_args().folders)
    config = load_config(overrides=["engine.runtime=in-process"])
    report(chosen, aligned(labelled(config, [source for _, source in chosen])))


def report(chosen: list[tuple[str, Source]], utterances: dict[str, list[tuple[Segment, Placed]]]) -> None:
    """One row for each set and rule."""
    print("| set | rules | precision | recall | inserted, right | removed, right |\n|---|---|---|---|---|---|")
    for group in dict.fromkeys(name for name, _ in chosen):
        for title, rules in RULES.items():
            total: Counter[str] = Counter()
            for name, source in chosen:
                if name == group:
                    total += count(utterances[source.id], source.transcript, rules)
            of = [("hits", "ours"), ("hits", "theirs"), ("inserted_right", "inserted"), ("removed_right", "removed")]
            cells = [f"{total[a]}/{total[b]}" + (f" = {total[a] / total[b]:.2f}" if total[b] else "") for a, b in of]
            print(f"| {group} | {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
