// Reads the data files: scripts beside the page, since a page of file:// may read nothing else.

const waiting = [];

async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

export function listen(onMeta) {
  globalThis.AUDIT = {
    take(name, base64) {
      const values = unpacked(base64);
      if (name === "meta") onMeta(values);
      else waiting.shift()?.(values);
    },
  };
}

const policy = globalThis.trustedTypes?.createPolicy("rows", {
  createScriptURL(url) {
    if (!/^data\/(?:other-)?rows-\d{3,6}\.js$/.test(url)) throw new TypeError("not a file of rows");
    return url;
  },
});

function chunk(number) {
  const url = `data/rows-${String(number).padStart(3, "0")}.js`;
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = policy ? policy.createScriptURL(url) : url;
    script.onerror = () => reject(new Error(`${url} is missing`));
    waiting.push(resolve);
    document.head.append(script);
  });
}

// The value that a rule compares; of a score without a column it is among the others.
export function valueOf(row, rule) {
  if (rule.column) return row.score(rule.column);
  return row.more.find(([name]) => name === rule.score)?.[1] ?? null;
}

// Whether a rule does not apply to a row: it has the other score, by which it is judged.
export const isApart = (row, rule) => Boolean(rule.unless) && valueOf(row, { column: rule.unless_column, score: rule.unless }) !== null;

// The rows as objects, and each number of rows that is read so far to onProgress.
export async function readRows(meta, onProgress) {
  const rows = [];
  for (let number = 0; number < meta.chunks; number++) {
    for (const values of await chunk(number)) rows.push(rowOf(meta, values, rows.length));
    onProgress(rows.length);
  }
  return rows;
}

export function rowOf(meta, values, place) {
  const row = { place };
  meta.columns.forEach((name, at) => (row[name] = values[at]));
  const [name, all, taken] = meta.strata[row.stratum] ?? [];
  row.sample = name === undefined ? null : { stratum: name, weight: all / taken, size: all };
  row.language ??= "";
  row.reason ??= "";
  row.key = row.id ?? `${row.recording}@${row.start}`;
  row.score = (column) => row.scores[meta.scores.indexOf(column)] ?? null;
  row.hay = [row.id, row.recording, row.path, row.speaker, row.text, row.detail, ...row.hypotheses.map((h) => h[1])]
    .filter(Boolean)
    .join("\n")
    .toLowerCase();
  return row;
}
