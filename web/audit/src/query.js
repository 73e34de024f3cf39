// The filter of the Listen tab: what it lets through, as SQL, as a command, and as the address of the page.

import { shellWord, sqlString } from "./text.js";

export const NAMES = ["reason", "language", "speaker", "recording", "q", "change", "order", "of"];

export const reasonOf = (row) => (row.status === "kept" ? "kept" : row.status === "failed" ? `failed ${row.reason}` : row.reason);

export function filtered(rows, filter, change) {
  const words = (filter.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter(
    (row) =>
      (!filter.reason || (filter.reason === "rejected" ? row.status === "rejected" : reasonOf(row) === filter.reason)) &&
      (filter.language === undefined || row.language === filter.language) &&
      (filter.speaker === undefined || (row.speaker ?? "") === filter.speaker) &&
      (!filter.recording || row.recording === filter.recording) &&
      (!filter.change || change(row) === filter.change) &&
      words.every((word) => row.hay.includes(word)),
  );
  const by = ORDERS[filter.order]?.by;
  return by ? found.sort((a, b) => by(b) - by(a) || a.place - b.place) : found;
}

const size = (value) => value ?? -Infinity;
export const ORDERS = {
  random: { label: "in random order" },
  disagreement: { label: "most disagreement first", by: (row) => size(row.score("pwer")) },
  near: { label: "nearest to the threshold first", by: (row) => (row.value === null ? -Infinity : -Math.abs(row.value - row.threshold)) },
  longest: { label: "longest first", by: (row) => row.seconds },
};

function conditions(filter, share) {
  const found = [];
  const { reason } = filter;
  if (reason === "kept" || reason === "rejected") found.push(`status = '${reason}'`);
  else if (reason?.startsWith("failed ")) found.push(`status = 'failed' AND reason = ${sqlString(reason.slice(7))}`);
  else if (reason) found.push(`status = 'rejected' AND reason = ${sqlString(reason)}`);
  if (filter.language) found.push(`language = ${sqlString(filter.language)}`);
  else if (filter.language === "") found.push("language IS NULL");
  if (filter.speaker && !share) found.push(`speaker = ${sqlString(filter.speaker)}`);
  else if (filter.speaker === "") found.push("speaker IS NULL");
  if (filter.recording) found.push(`recording_id = ${sqlString(filter.recording)}`);
  for (const word of (filter.q ?? "").split(/\s+/).filter(Boolean)) found.push(`contains(lower(${searched(share)}), lower(${sqlString(word)}))`);
  return found;
}

// What a search looks at (`hay` of a row), as SQL; a page to give away has no paths and no names.
const HEARD = "array_to_string(list_transform(hypotheses, lambda h: h.text), chr(10))";
const searched = (share) => `concat_ws(chr(10), ${["id", "recording_id", ...(share ? [] : ["path", "speaker", "detail"]), "text", HEARD].join(", ")})`;

// What of a filter SQL, or the command of a sample, does not say.
export const untold = (filter, names) => names.filter((name) => filter[name] !== undefined && filter[name] !== "random" && !(name === "language" && filter.language));

export function sql(filter, { share = false, line = "\n" } = {}) {
  const where = conditions(filter, share).map((item, at) => `${at ? "AND" : "WHERE"} ${item}`);
  return ["SELECT id, seconds, language, status, reason, text", "FROM segments", ...where].join(line);
}

// Only the files that the index names are asked: while a corpus is published again, two editions lie beside each other.
export const sqlCommand = (meta, filter) => `curation sql ${shellWord(meta.path)} ${shellWord(sql(filter, { share: meta.share, line: " " }))}`;

// `curation sample` knows verdicts and languages; SQL knows the rest.
export function command(meta, { reason = "", language }) {
  const parts = [`curation sample ${shellWord(meta.path)}`];
  if (reason === "kept" || reason === "rejected") parts.push(`--status ${reason}`);
  else if (reason.startsWith("failed ")) parts.push(`--status failed --reason ${shellWord(reason.slice(7))}`);
  else if (reason) parts.push(`--reason ${shellWord(reason)}`);
  if (language) parts.push(`--language ${shellWord(language)}`);
  return [...parts, `-n 20 --seed ${meta.seed}`].join(" ");
}

export function settings(meta, edges, start) {
  return meta.rules
    .map((rule, dim) => [rule, dim])
    .filter(([, dim]) => edges[dim] !== start[dim])
    .map(([rule, dim]) => `--set ${shellWord(`${rule.field}=${meta.cube.edges[dim][edges[dim]]}`)}`);
}

export function parsed(hash) {
  const text = hash.replace(/^#/, "");
  if (text.startsWith("id=")) return { tab: "listen", id: decoded(text.slice(3)), filter: {}, linked: true };
  const [path, rest = ""] = text.replace(/^\//, "").split("?");
  const found = new URLSearchParams(rest);
  const filter = Object.fromEntries(NAMES.filter((name) => found.has(name)).map((name) => [name, found.get(name)]));
  return { tab: path || "overview", id: found.get("id"), filter };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The address of one utterance, whatever list it is in.
export const link = (id) => `#id=${encodeURIComponent(id)}`;

// How the utterances of a list are found: drawn at random by verdict and language, else chosen by something that they
// have; marks of those say nothing of the rest.
export function foundBy(filter) {
  if (filter.order && filter.order !== "random") return "sorted";
  if (filter.q) return "searched";
  return ["speaker", "recording", "change", "of"].some((name) => filter[name] !== undefined) ? "filtered" : "random";
}

export function address(tab, filter = {}, id = null) {
  const kept = Object.entries(filter).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(id === null ? kept : [...kept, ["id", id]]).toString();
  return `#/${tab}${search ? `?${search}` : ""}`;
}
