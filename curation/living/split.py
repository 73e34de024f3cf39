"""Divides a published corpus into train, dev and test, without leaks.

    summary = split("corpus", dev="5h", test="5h")

The corpus is published again with a setting, `publish.split`: no model runs. Later builds keep it.
"""

from collections.abc import Sequence
from functools import partial

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests.index import published_index
from curation.manifests.plan import read_plan
from curation.manifests.splits.components import Components, Link
from curation.manifests.splits.places import LINKS, SplitConfig
from curation.manifests.splits.sizes import Wanted, kept_samples, measured
from curation.manifests.summary import Summary
from curation.pipeline.config import BuildConfig
from curation.pipeline.job import OnProgress
from curation.pipeline.provenance import read_config
from curation.pipeline.run import build, labelled_config

NONE = "0s"
"""The size of a split that is not wanted."""


def settings_for(root: str, *, dev: str = NONE, test: str = NONE, by: Sequence[Link] = LINKS) -> BuildConfig:
    """The configuration of a corpus with splits of these sizes: hours, minutes or seconds of what is kept now, or a
    share of it (`5h`, `30m`, `2%`).

    Raises ConfigError for what is no size, where the corpus is not published, where recordings are not labelled yet
    (dividing runs no model), or where it cannot be divided so.
    """
    out = Storage(root)
    sizes = Wanted.parsed(dev, "--dev"), Wanted.parsed(test, "--test")
    if not any(size.amount for size in sizes):
        msg = (
            f"{root}: nothing is held out: give --dev and --test, such as 5h or 2%; "
            f"`curation build -o {root} --set publish.split=null` ends a split"
        )
        raise ConfigError(msg)
    config, corpus = labelled_config(out), published_index(out)
    components = Components.of(read_plan(out), by)
    salt = config.publish.split.salt if config.publish.split else 0
    kept = kept_samples(out, corpus, components)
    found = measured(components, kept, *sizes, SplitConfig(by=[*by], salt=salt))
    return config.model_copy(update={"publish": config.publish.model_copy(update={"split": found})})


def split(
    root: str,
    *,
    dev: str = NONE,
    test: str = NONE,
    by: Sequence[Link] = LINKS,
    on_progress: OnProgress = lambda _: None,
    wait_seconds: float = 0.0,
    force_unlock: bool = False,
) -> Summary:
    """Publish a corpus with splits, as `settings_for` measures them; returns its summary."""
    settings = partial(settings_for, root, dev=dev, test=test, by=by)
    read_config(Storage(root))  # for a corpus that is not there: before the lock, which would make a folder
    return build(settings, [], root, on_progress=on_progress, wait_seconds=wait_seconds, force_unlock=force_unlock)
