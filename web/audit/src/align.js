// Aligns hypotheses with a text, word by word (or character by character), for a table with one column for each word.

const bare = (word) => word.toLowerCase().normalize("NFKC").replace(/[^\p{L}\p{M}\p{N}]/gu, "") || word;

export function tokens(text, characters) {
  const words = (text ?? "").trim().split(/\s+/u).filter(Boolean);
  return characters ? words.flatMap((word) => [...word]) : words;
}

// Pairs [word of a, word of b] in order, null where one has none; least word errors.
function aligned(a, b) {
  const [m, n] = [a.length, b.length];
  const width = n + 1;
  const cost = new Uint16Array((m + 1) * width);
  const [ka, kb] = [a.map(bare), b.map(bare)];
  for (let i = 0; i <= m; i++) {
    for (let j = 0; j <= n; j++) {
      const at = i * width + j;
      if (!i || !j) cost[at] = i + j;
      else {
        const change = cost[at - width - 1] + (ka[i - 1] === kb[j - 1] ? 0 : 1);
        cost[at] = Math.min(change, cost[at - 1] + 1, cost[at - width] + 1);
      }
    }
  }
  const pairs = [];
  let [i, j] = [m, n];
  while (i || j) {
    const at = i * width + j;
    const same = i && j && ka[i - 1] === kb[j - 1];
    if (i && j && cost[at] === cost[at - width - 1] + (same ? 0 : 1)) pairs.push([--i, --j]);
    else if (i && cost[at] === cost[at - width] + 1) pairs.push([--i, null]);
    else pairs.push([null, --j]);
  }
  return pairs.reverse();
}

// Columns {word, cells: [{word, kind}]}: kind is same, other, missing (of the system) or extra (not in the text).
export function columns(text, hypotheses, characters) {
  const reference = tokens(text, characters).slice(0, 400);
  const slots = Array.from({ length: reference.length + 1 }, () => []); // extra words before each word
  const words = reference.map((word) => ({ word, cells: [] }));
  hypotheses.forEach((hypothesis, row) => {
    const said = tokens(hypothesis, characters).slice(0, 400);
    let at = 0;
    let extra = 0;
    for (const [i, j] of aligned(reference, said)) {
      if (i === null) {
        slots[at][extra] ??= hypotheses.map(() => ({ word: "", kind: "none" }));
        slots[at][extra++][row] = { word: said[j], kind: "extra" };
        continue;
      }
      const kind = j === null ? "missing" : bare(reference[i]) === bare(said[j]) ? "same" : "other";
      words[i].cells[row] = { word: j === null ? "" : said[j], kind };
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
