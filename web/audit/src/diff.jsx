// Two builds of the same recordings: verdicts that changed, with their hours; texts, scores and thresholds.

import { columns, lines } from "./align.js";
import { link } from "./query.js";
import { count, counted, number, percent, seconds, shellWord, visible } from "./text.js";
import { Badge, Code, Field, Said, Tile } from "./ui.jsx";

export function Diff({ meta, rows }) {
  const { a, b, verdicts, thresholds, texts, scores, only } = meta.diff;
  const [gained, lost] = ["kept", "rest"].map((want) => {
    const found = verdicts.filter((row) => (row.status_b === "kept") !== (row.status_a === "kept") && (row.status_b === "kept") === (want === "kept"));
    return { seconds: found.reduce((sum, row) => sum + row.seconds, 0), count: found.reduce((sum, row) => sum + row.count, 0) };
  });
  const known = new Set(rows.map((row) => row.key));
  return (
    <>
      <p class="note pair">
        From <Said>{a}</Said> to <Said>{b}</Said>. Segments are the same by id, else where each shares most of its time
        with the other.
      </p>
      <dl class="tiles">
        <Tile label="Kept now" value={<span class="gained">{seconds(gained.seconds)}</span>} note={`${counted(gained.count, "utterance")}, not before`} />
        <Tile label="Not kept now" value={<span class="lost">{seconds(lost.seconds)}</span>} note={`${counted(lost.count, "utterance")}, before kept`} />
        <Tile label="Texts changed" value={count(texts.changed)} note={`${percent(texts.changed, texts.both)} of ${count(texts.both)} in both`} />
        <Tile label="Only in one" value={`${total(only.a)} / ${total(only.b)}`} note="segments, before / now" />
      </dl>
      <section>
        <h2>Verdicts that changed</h2>
        {verdicts.length === 0 ? <p class="note">None.</p> : <Verdicts rows={verdicts} />}
      </section>
      {thresholds.length > 0 && (
        <section>
          <h2>Thresholds</h2>
          <Plain label="Thresholds" head={["setting", "before", "now"]} rows={thresholds.map((row) => [row.setting, number(row.a), number(row.b)])} />
        </section>
      )}
      {texts.examples.length > 0 && (
        <section>
          <h2>Texts that changed</h2>
          <p class="note">The {count(texts.examples.length)} longest.</p>
          <div class="aligned texts">
            {texts.examples.map((item) => (
              <div key={item.b} class="pairing">
                <Text item={item} linked={known.has(item.b)} />
              </div>
            ))}
          </div>
        </section>
      )}
      {scores.length > 0 && (
        <section>
          <h2>Scores that changed</h2>
          <Plain
            label="Scores"
            head={["score", "segments", "mean change", "mean distance"]}
            rows={scores.map((row) => [row.score, count(row.count), number(row.mean), number(row.mean_distance)])}
          />
        </section>
      )}
      <Code title="The same as a table" text={`curation diff ${shellWord(a)} ${shellWord(b)}`} />
    </>
  );
}

const total = (rows) => count(rows.reduce((sum, row) => sum + row.count, 0));

function Verdicts({ rows }) {
  return (
    <div class="scroll" role="region" aria-label="Verdicts that changed" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">before</th>
            <th scope="col">now</th>
            <th scope="col" class="n">duration</th>
            <th scope="col" class="n">segments</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              <td>
                <Badge status={row.status_a} /> <Field>{row.reason_a ?? ""}</Field>
              </td>
              <td>
                <Badge status={row.status_b} /> <Field>{row.reason_b ?? ""}</Field>
              </td>
              <td class="n">{seconds(row.seconds)}</td>
              <td class="n">{count(row.count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Plain({ label, head, rows }) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name, at) => (
              <th key={name} scope="col" class={at ? "n" : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, ...values]) => (
            <tr key={name}>
              <th scope="row">
                <Field>{name}</Field>
              </th>
              {values.map((value, at) => (
                <td key={at} class="n">
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const KINDS = { same: "", other: "other", missing: "missing", extra: "extra" };

// Before and now, one above the other; what is not the same stands out.
function Text({ item, linked }) {
  return lines(columns(item.units[0], [item.units[1]]), innerWidth < 600 ? 30 : 116).map((line, at) => (
    <table key={at}>
      <tbody>
        <tr>
          <th scope="row">before</th>
          {line.map((column, place) => (
            <td key={place}>{visible(column.word)}</td>
          ))}
        </tr>
        <tr>
          <th scope="row">{linked ? <a href={link(item.b)}>now</a> : "now"}</th>
          {line.map((column, place) => (
            <td key={place} class={KINDS[column.cells[0].kind]}>
              {column.cells[0].kind === "missing" ? "\u2205" : visible(column.cells[0].word)}
            </td>
          ))}
        </tr>
      </tbody>
    </table>
  ));
}
