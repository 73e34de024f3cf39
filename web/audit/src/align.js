// Aligns hypotheses with a text, unit by unit, for a table with one column for each. Units are those that were compared
// when the corpus was built: what is written, and what counts of it ("": nothing, such as of "um").

const MOST = 400;

// Units as the files have them: [written, what counts], or what is written where that is the same.
const units = (found) => (found ?? []).slice(0, MOST).map((unit) => (Array.isArray(unit) ? { written: unit[0], key: unit[1] } : { written: unit, key: unit }));

const price = (unit) => (unit.key === "" ? 0 : 1);

// Pairs [place in a, place in b] in order, null where one has none; least errors.
function aligned(a, b) {
  const [m, n] = [a.length, b.length];
  const width = n + 1;
  const cost = new Uint16Array((m + 1) * width);
  for (let i = 0; i <= m; i++) {
    for (let j = 0; j <= n; j++) {
      const at = i * width + j;
      if (!i && !j) continue;
      const added = j ? cost[at - 1] + price(b[j - 1]) : Infinity;
      const left = i ? cost[at - width] + price(a[i - 1]) : Infinity;
      const change = i && j ? cost[at - width - 1] + (a[i - 1].key === b[j - 1].key ? 0 : 1) : Infinity;
      cost[at] = Math.min(change, added, left);
    }
  }
  const pairs = [];
  let [i, j] = [m, n];
  while (i || j) {
    const at = i * width + j;
    const same = i && j && a[i - 1].key === b[j - 1].key;
    if (i && j && cost[at] === cost[at - width - 1] + (same ? 0 : 1)) pairs.push([--i, --j]);
    else if (i && cost[at] === cost[at - width] + price(a[i - 1])) pairs.push([--i, null]);
    else pairs.push([null, --j]);
  }
  return pairs.reverse();
}

// Columns {word, cells: [{word, kind}]}: kind is same, other, missing (of the system) or extra (not in the text).
export function columns(text, hypotheses) {
  const reference = units(text);
  const slots = Array.from({ length: reference.length + 1 }, () => []); // extra words before each word
  const words = reference.map(({ written }) => ({ word: written, cells: [] }));
  hypotheses.forEach((hypothesis, row) => {
    const said = units(hypothesis);
    let at = 0;
    let extra = 0;
    for (const [i, j] of aligned(reference, said)) {
      if (i === null) {
        slots[at][extra] ??= hypotheses.map(() => ({ word: "", kind: "none" }));
        slots[at][extra++][row] = { word: said[j].written, kind: said[j].key === "" ? "same" : "extra" };
        continue;
      }
      const counts = reference[i].key !== "";
      const kind = j === null ? (counts ? "missing" : "none") : reference[i].key === said[j].key ? "same" : "other";
      words[i].cells[row] = { word: j === null ? "" : said[j].written, kind };
      at = i + 1;
      extra = 0;
    }
  });
  return slots.flatMap((extras, at) => [
    ...extras.map((cells) => ({ word: "", cells })),
    ...(at < words.length ? [words[at]] : []),
  ]);
}

// Columns in lines of about so many characters.
export function lines(found, width) {
  const result = [[]];
  let used = 0;
  for (const column of found) {
    const size = Math.max(column.word.length, ...column.cells.map((cell) => cell.word.length), 1) + 2;
    if (used + size > width && result.at(-1).length) {
      result.push([]);
      used = 0;
    }
    result.at(-1).push(column);
    used += size;
  }
  return result;
}
