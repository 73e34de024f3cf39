"""Results as tables on standard output; `--json` has the same values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from curation.cli.options import PlainConsole, marked, print_json, table_console
from curation.core.counts import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from curation.fit.consensus_report import ConsensusReport
    from curation.fit.reliability import Reliability
    from curation.manifests.runs import PoolTimes
    from curation.manifests.summary import Summary, Timing
    from curation.pipeline.run import BuildState
    from curation.preflight.doctor import Check

STREAMS = ("glm", "semantic", "global")
NAMES = {"kept": "kept", "rejected": "rejected", "non_speech": "non-speech", "failed": "failed", "removed": "removed"}


def hours(seconds: float) -> str:
    """A duration as hours, minutes, seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min {rest:02d} s" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def print_summary(summary: "Summary", output: str, *, as_json: bool) -> None:
    """The accounting as tables, or as JSON."""
    if as_json:
        print_json(summary.to_json())
        return
    console = table_console()
    table = Table(title=f"{counted(summary.recordings, 'recording')}, {hours(summary.seconds)}", title_justify="left")
    for name in ("verdict", "reason"):
        table.add_column(name)
    for name in ("count", "duration", "share"):
        table.add_column(name, justify="right")
    for line in summary.lines:
        share = line.seconds / summary.seconds if summary.seconds else 0.0
        table.add_row(NAMES[line.status], line.reason, str(line.count), hours(line.seconds), f"{share:.1%}")
    table.add_section()
    table.add_row("total", "", str(sum(line.count for line in summary.lines)), hours(summary.seconds), "100.0%")
    console.print(table)
    _print_errors(console, summary)
    for reason, left_out in summary.skipped.items():
        examples = ", ".join(left_out.examples)
        console.print(f"left out of the inputs: {left_out.count} {reason}, e.g. {examples}")
    _print_time(console, summary.timing)
    tokens = ", ".join(f"{summary.tokens[name]:,} {name}" for name in STREAMS)
    utterances, speakers = counted(summary.utterances, "utterance"), counted(summary.speakers, "speaker")
    console.print(f"{utterances} of {speakers} in {counted(summary.shards, 'shard')} ({tokens} tokens)")
    for what, amounts in (("splits", summary.splits), ("tiers", summary.tiers)):
        shown = ", ".join(
            f"{amount.name or 'none'} {hours(amount.seconds)} ({counted(amount.utterances, 'utterance')})"
            for amount in amounts
        )
        if shown:
            console.print(f"{what}: {shown}")
    for name, what in (
        ("shards", "training shards"),
        ("segments", "every utterance, kept or not, with its scores"),
        ("ledger", "every second and its verdict"),
        ("summary.json", "this summary as JSON"),
    ):
        console.print(f"  {what:<30} {output}/{name}")


def _print_errors(console: Console, summary: "Summary") -> None:
    for name, rate in summary.errors.items():
        if rate.errors:
            console.print(
                f"{name}: {rate.errors} of {rate.calls} failed in the label pass, e.g. {rate.example}",
                soft_wrap=True,
            )


def _print_time(console: Console, timing: "Timing") -> None:
    from curation.stages.registry import FIRST, ordered_stages

    stages, models = timing.label.stages, timing.label.models
    if not stages:
        return
    table = Table(
        title="time of the label pass by stage, all workers; CPU time is wall seconds x CPUs",
        title_justify="left",
    )
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("inside models", justify="right")
    table.add_column("of all CPU time", justify="right")
    available = sum(run.cpus * run.pass_seconds.get("label", 0.0) for run in timing.runs)

    def share(seconds: float) -> str:
        return f"{seconds / available:.1%}" if available else ""

    order = [FIRST, *(stage.name for stage in ordered_stages())]
    for stage in sorted(stages, key=lambda name: order.index(name) if name in order else len(order)):
        inside = {name: value for name, value in models.items() if name.split(".")[0] == stage}
        detail = ", ".join(f"{name.partition('.')[2]} {value:.1f}" for name, value in sorted(inside.items()))
        table.add_row(stage, f"{stages[stage]:.1f}", detail, share(sum(inside.values())) if inside else "")
    table.add_section()
    table.add_row("total", f"{sum(stages.values()):.1f}", f"{sum(models.values()):.1f}", share(sum(models.values())))
    console.print(table)
    print_pools(console, next((run.pools for run in reversed(timing.runs) if run.pools), {}))


def print_pools(console: Console, pools: "Mapping[str, PoolTimes]") -> None:
    """What the workers of the label pass have done with their time; nothing where it ran in one process."""
    if not pools:
        return
    table = Table(title="time of the workers of the label pass", title_justify="left")
    table.add_column("pool")
    for name in ("workers", "busy", "waiting for input", "blocked by output", "calls lost"):
        table.add_column(name, justify="right")
    for name, times in pools.items():
        every = max(times.busy + times.waiting + times.blocked, 1e-9)
        shares = [f"{part / every:.0%}" for part in (times.busy, times.waiting, times.blocked)]
        table.add_row(name, str(times.workers), *shares, str(times.retries))
    console.print(table)


def print_status(state: "BuildState") -> None:
    """How far a build is."""
    console = table_console()
    console.print(f"{state.units_done} of {state.units} units labelled, {state.batches_done} batches committed")
    seen = f"latest run: {state.phase}, last heartbeat {hours(state.idle_seconds)} ago"
    console.print(seen if state.phase else "not started")
    console.print("published" if state.published else "not published yet")
    print_pools(console, state.pools)


def print_checks(checks: "list[Check]") -> None:
    """What doctor found."""
    console = table_console()
    for check in checks:
        word, colour = ("ok     ", "green") if check.ok else ("missing", "red")
        console.print(marked(word, f"{check.what}: {check.found}", colour))
        if not check.ok:
            console.print(f"        -> {check.remedy}")


def schema_rows() -> list[dict[str, str]]:
    """Every column of shards, ledger and segments, and every score and note that the stages declare."""
    from curation.manifests.schemas import LEDGER_COLUMNS, SHARD_COLUMNS
    from curation.manifests.segments.table import SegmentTable
    from curation.pipeline.assemble import declared_notes, declared_scores

    segments = SegmentTable(declared_scores(), []).columns
    rows = [
        (table, name, type_name(kind), unit, meaning)
        for table, columns in (("shards", SHARD_COLUMNS), ("ledger", LEDGER_COLUMNS), ("segments", segments))
        for name, kind, unit, meaning in columns
    ]
    rows += [("scores", item.name, item.of, item.unit, item.meaning) for item in declared_scores()]
    rows += [("notes", item.name, item.of, "", item.meaning) for item in declared_notes()]
    return [dict(zip(("table", "column", "type", "unit", "meaning"), row, strict=True)) for row in rows]


def print_schema() -> None:
    """The columns as a table."""
    table = Table("table", "column", "type", "unit", "meaning")
    for row in schema_rows():
        table.add_row(row["table"], row["column"], row["type"], row["unit"], row["meaning"])
    table_console().print(table, crop=False)


def type_name(kind: "pa.DataType") -> str:
    """A readable name of an Arrow type: `list of {text, start, end}`."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(field.name for field in kind) + "}"
    return str(kind)


def print_models() -> None:
    """The catalogue, and what of it is here."""
    from curation.models.catalogue import catalogue
    from curation.models.store import verify

    table = Table("model", "licence", "about", "here")
    for name, entry in catalogue().items():
        table.add_row(name, entry.licence, entry.about, "no" if verify(name) else "yes")
    table_console().print(table, crop=False)


def print_consensus_report(report: "ConsensusReport") -> None:
    """What was fitted, and its quality."""
    console, fitted = PlainConsole(), report.fitted
    seconds = float(fitted.outcome.seconds.sum())
    console.print(f"{len(fitted.predicted)} labelled utterances, {seconds / 60:.1f} min, {fitted.words:.0f} words")
    for cause, count in report.left_out.items():
        console.print(f"{count} left out: {cause}")
    taken = "taken over" if fitted.calibration.weights else "equal weights are kept"
    console.print(
        f"word errors across groups: {fitted.equal_errors:.0f} with equal weights, {fitted.learned_errors:.0f} with "
        f"learned ones: {taken}"
    )
    for system, weight in fitted.calibration.weights.items():
        console.print(f"  {system}: {weight:g}")
    console.print(reliability_table("calibrated confidence, across groups", report.reliability))
    console.print(f"ECE without calibration {report.uncalibrated.expected_error:.3f}")
    console.print(_kept_table(report))


def reliability_table(title: str, found: "Reliability") -> Table:
    """Predicted against observed, with ECE and Brier score below."""
    table = Table(title=title, caption=f"ECE {found.expected_error:.3f}, Brier {found.brier:.4f}", title_justify="left")
    for name in ("confidence", "utterances", "predicted", "observed"):
        table.add_column(name, justify="right")
    for row in found.bins:
        span = f"{row.low:g} to {row.high:g}"
        table.add_row(span, str(row.count), f"{row.predicted:.3f}", f"{row.observed:.3f}")
    return table


def _kept_table(report: "ConsensusReport") -> Table:
    table = Table(title="WER of what is kept", title_justify="left")
    for name in ("share of the seconds", "by calibrated confidence", "by pWER alone"):
        table.add_column(name, justify="right")
    for row in report.kept:
        table.add_row(f"{row['share']:.0%}", f"{row['wer_by_confidence']:.3f}", f"{row['wer_by_pwer']:.3f}")
    return table
