// What the listener has marked: kept in this browser, downloaded as marks.jsonl for `curation marks import`.

const place = (corpus) => `curation-marks-${corpus}`;

export const KINDS = [
  { key: "1", kind: "text", verdict: "right", label: "right", title: "The text is what is said" },
  { key: "2", kind: "text", verdict: "wrong", label: "wrong text", title: "The text is not what is said" },
  { key: "3", kind: "reject", verdict: "wrong", label: "reject", title: "Should not be in the corpus" },
  { key: "4", kind: "accept", verdict: "wrong", label: "accept", title: "Should be in the corpus" },
];
export const TAGS = ["speaker", "language", "boundary"];

export function load(corpus) {
  try {
    const found = JSON.parse(localStorage.getItem(place(corpus)) ?? "[]");
    return Array.isArray(found) ? found.filter((mark) => mark && typeof mark.id === "string") : [];
  } catch {
    return [];
  }
}

// False where the browser keeps nothing: the marks last as long as the page then.
export function save(corpus, marks) {
  try {
    localStorage.setItem(place(corpus), JSON.stringify(marks));
    return true;
  } catch {
    return false;
  }
}

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `sha256:${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// `found`: how the utterance was come to; only "random" is drawn.
export async function mark(meta, row, kind, verdict, found, changes = {}) {
  return {
    v: 1,
    corpus: meta.corpus,
    id: row.id,
    kind,
    verdict,
    text: changes.text ?? null,
    text_seen: await digest(row.text ?? ""),
    tags: changes.tags ?? [],
    by: "",
    at: new Date().toISOString().replace(/\.\d+/, ""),
    sample: row.sample,
    found,
    note: changes.note ?? "",
  };
}

export const jsonl = (marks) => marks.map((item) => `${JSON.stringify(item)}\n`).join("");

export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/x-ndjson" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
