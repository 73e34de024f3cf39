// Adds up the cube under any setting of the sliders. Exact: a slider stands on an edge, and an edge divides cells.

import { isApart, valueOf } from "./data.js";

export const KEPT = "kept";
const MISSING = -1;
const APART = -2; // the rule does not apply
const REJECT = "marks.reject";
const ACCEPT = "marks.accept"; // of people: broken thresholds are forgiven, missing scores are not

// Where a slider stands when it has not been moved.
export function configured(meta) {
  return meta.rules.map((rule, dim) => meta.cube.edges[dim].indexOf(rule.threshold));
}

const breaks = (rule, bin, edge) => (rule.breaks === "<" ? bin <= edge : bin > edge);

// The verdict of a cell or of a row: the first rule that it does not meet, tried in order as when publishing, else what
// becomes of it then: "", it is kept; what people said; or the reason of a failure that comes after the thresholds.
function verdict(rules, edges, binOf, otherwise) {
  for (let dim = 0; dim < rules.length; dim++) {
    const bin = binOf(dim);
    if (bin === APART) continue;
    if (bin === MISSING) {
      if (rules[dim].required) return { status: "failed", reason: rules[dim].field };
    } else if (breaks(rules[dim], bin, edges[dim])) {
      return otherwise === ACCEPT ? { status: KEPT, reason: "" } : { status: "rejected", reason: rules[dim].field };
    }
  }
  if (otherwise === "" || otherwise === ACCEPT) return { status: KEPT, reason: "" };
  return { status: otherwise === REJECT ? "rejected" : "failed", reason: otherwise };
}

export function verdictOfRow(meta, row, edges) {
  if (row.broken === null) return { status: row.status, reason: row.reason };
  const late = row.status === "failed" && !meta.rules.some((rule) => rule.field === row.reason);
  return verdict(meta.rules, edges, (dim) => binOf(meta, dim, row), late ? row.reason : row.marked ? `marks.${row.marked}` : "");
}

function binOf(meta, dim, row) {
  if (isApart(row, meta.rules[dim])) return APART;
  const value = valueOf(row, meta.rules[dim]);
  if (value === null || value === undefined) return MISSING;
  const past = meta.rules[dim].breaks === ">" ? (edge) => value > edge : (edge) => value >= edge;
  return meta.cube.edges[dim].filter(past).length;
}

const empty = () => ({ count: 0, samples: 0 });

function add(into, count, samples) {
  into.count += count;
  into.samples += samples;
}

// Hours by reason and by language, and what is gained and lost against the configured thresholds.
export function evaluate(meta, edges) {
  const { cells, fixed, languages, outcomes } = meta.cube;
  const start = configured(meta);
  const reasons = new Map();
  const byLanguage = languages.map(() => ({ all: empty(), kept: empty(), gained: empty(), lost: empty() }));
  const total = { kept: empty(), before: empty(), gained: empty(), lost: empty(), all: empty() };
  const put = (status, reason, count, samples) => {
    const key = `${status}\u0000${reason}`;
    if (!reasons.has(key)) reasons.set(key, { status, reason, ...empty() });
    add(reasons.get(key), count, samples);
  };
  for (let cell = 0; cell < cells.count.length; cell++) {
    const bin = (dim) => cells.bins[dim][cell];
    const [n, samples] = [cells.count[cell], cells.samples[cell]];
    const otherwise = outcomes[cells.otherwise[cell]];
    const now = verdict(meta.rules, edges, bin, otherwise);
    const before = verdict(meta.rules, start, bin, otherwise);
    const language = byLanguage[cells.language[cell]];
    put(now.status, now.reason, n, samples);
    for (const sums of [language, total]) {
      add(sums.all, n, samples);
      if (now.status === KEPT) add(sums.kept, n, samples);
      if (now.status === KEPT && before.status !== KEPT) add(sums.gained, n, samples);
      if (now.status !== KEPT && before.status === KEPT) add(sums.lost, n, samples);
    }
    if (before.status === KEPT) add(total.before, n, samples);
  }
  for (const [language, status, reason, n, samples] of fixed) {
    put(status, reason, n, samples);
    add(byLanguage[language].all, n, samples);
    add(total.all, n, samples);
  }
  for (const [status, reason, n, samples] of meta.outside) put(status, reason, n, samples);
  return { reasons: ordered(meta, [...reasons.values()]), byLanguage, total };
}

const ORDER = { removed: -1, non_speech: 0, rejected: 1, failed: 3, kept: 4 };

// What was removed for good, non-speech, what stages have rejected, thresholds in their order, failures, kept.
function ordered(meta, found) {
  const rank = (line) => {
    const dim = meta.rules.findIndex((rule) => rule.field === line.reason);
    return line.status === "rejected" && dim >= 0 ? 2 + dim / 1000 : ORDER[line.status];
  };
  return found.sort((a, b) => rank(a) - rank(b) || b.samples - a.samples);
}

// Hours in each bin of a threshold, of the segments that meet all others as the sliders stand.
export function histogram(meta, dim, edges) {
  const { cells } = meta.cube;
  const bins = new Array(meta.cube.edges[dim].length + 1).fill(0);
  const others = meta.rules.map((rule, at) => (at === dim ? { ...rule, required: false } : rule));
  for (let cell = 0; cell < cells.count.length; cell++) {
    if (cells.bins[dim][cell] < 0) continue;
    const met = verdict(others, edges, (at) => (at === dim ? MISSING : cells.bins[at][cell]), "");
    if (met.status === KEPT) bins[cells.bins[dim][cell]] += cells.samples[cell];
  }
  return bins;
}
