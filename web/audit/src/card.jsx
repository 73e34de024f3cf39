// One segment: what is heard, what systems have written, and which rules it meets.

import { useEffect, useRef, useState } from "preact/hooks";
import { columns, lines } from "./align.js";
import { isApart, valueOf } from "./data.js";
import { KINDS, TAGS } from "./marks.js";
import { Player } from "./player.jsx";
import { address, link } from "./query.js";
import { ask } from "./server.js";
import { clock, counted, number, seconds, visible } from "./text.js";
import { Badge, Copy, Field, Said, languageName, shortId } from "./ui.jsx";

export function Card({ meta, row, found, marks, onMark, control }) {
  const here = `${location.href.split("#")[0]}${link(row.key)}`;
  return (
    <article class="card" aria-labelledby="segment">
      <h2 id="segment" class="hidden">
        Segment
      </h2>
      <header>
        <p class="verdict">
          <Badge status={row.status} />
          {row.reason && <strong><Field>{row.reason}</Field></strong>}
          {row.value !== null && (
            <span>
              {number(row.value)} <span class="note">threshold {number(row.threshold)}</span>
            </span>
          )}
        </p>
        <p class="facts">
          <Said>{languageName(row.language)}</Said>
          <span>{seconds(row.seconds)}</span>
          <span>at {clock(row.start)}</span>
          {row.speaker && (
            <a href={address("listen", { speaker: row.speaker })}>
              <Said>{voice(row)}</Said>
            </a>
          )}
          <a href={address("listen", { recording: row.recording })} title={visible(row.path) || undefined}>
            <Said>{row.path?.split("/").at(-1) ?? shortId(row.recording)}</Said>
          </a>
        </p>
      </header>
      <Sound key={row.key} meta={meta} row={row} control={control} />
      <p class="said" lang={/^[a-z]{2,3}$/.test(row.language) ? row.language : undefined} dir="auto">
        {row.text ? visible(row.text) : <em>no text: {visible(row.reason) || row.status}</em>}
      </p>
      {row.detail && <p class="note detail">{visible(row.detail)}</p>}
      {row.id !== null && <Marking key={`m${row.key}`} row={row} marks={marks} onMark={onMark} />}
      {row.hypotheses.length > 0 && <Hypotheses row={row} />}
      <Rules meta={meta} row={row} />
      <details>
        <summary>All scores</summary>
        <dl class="scores">
          {[...meta.scores.map((name, at) => [name, row.scores[at]]), ...row.more].map(([name, value]) => (
            <div key={name}>
              <dt>{visible(name)}</dt>
              <dd>{value === null ? "not measured" : number(value)}</dd>
            </div>
          ))}
        </dl>
      </details>
      <footer class="row">
        <code class="id">{visible(row.key)}</code>
        <Copy text={row.key}>Copy id</Copy>
        <Copy text={here}>Copy link</Copy>
        <span class="spring" />
        <Stands row={row} found={found} />
      </footer>
    </article>
  );
}

// What a mark of it says of the rest.
function Stands({ row, found }) {
  if (!row.sample) return <span class="note">not of the random sample</span>;
  if (found !== "random") return <span class="note" title="Only what comes in random order counts in the estimate">chosen ({found}): stands for itself</span>;
  return (
    <span class="note" title={visible(row.sample.stratum)}>
      stands for {counted(Math.round(row.sample.weight), "segment")}
    </span>
  );
}

// Audio and word times; of a server they are asked for when the segment is opened.
function Sound({ meta, row, control }) {
  const [state, setState] = useState(row.heard || !meta.served ? "ready" : "waiting");
  useEffect(() => {
    if (state === "ready") return undefined;
    control.current = {};
    let here = true;
    ask("cut", { id: row.key }).then(
      (found) => {
        Object.assign(row, found, { heard: true });
        if (here) setState("ready");
      },
      (error) => here && setState(error.message),
    );
    return () => (here = false);
  }, []);
  if (state === "ready") return <Player row={row} control={control} />;
  return state === "waiting" ? <p class="note" role="status">Cutting the audio {"\u2026"}</p> : <p role="alert">{state}</p>;
}

// A voice without a name is called after its recording, which stands beside it.
const voice = (row) => (row.speaker.startsWith(`${row.recording}-`) ? `voice ${row.speaker.slice(row.recording.length + 1)}` : shortId(row.speaker));

function Hypotheses({ row }) {
  const box = useRef(null);
  const [width, setWidth] = useState(64);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(16, Math.floor((entry.contentRect.width - 118) / 8.2))));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const heard = row.hypotheses.filter((item) => !item[3]);
  const [text, ...said] = row.units ?? [];
  const found = lines(columns(row.text ? text : said[0], said), width);
  return (
    <section>
      <h3>What the systems have heard</h3>
      <div ref={box} class="aligned">
        {found.map((line, at) => (
          <table key={at}>
            <tbody>
              <tr class="reference">
                <th scope="row">{row.text ? "text" : <Said>{heard[0]?.[0]}</Said>}</th>
                {line.map((column, place) => (
                  <td key={place}>{visible(column.word)}</td>
                ))}
              </tr>
              {heard.map(([system, , confidence], place) => (
                <tr key={place}>
                  <th scope="row" title={confidence === null ? undefined : `confidence ${number(confidence)}`}>
                    <Said>{system}</Said>
                    {row.outlier === system && <span class="odd"> outlier</span>}
                  </th>
                  {line.map((column, cell) => (
                    <Heard key={cell} {...column.cells[place]} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </div>
      {row.hypotheses
        .filter((item) => item[3])
        .map(([system, , , error], at) => (
          <p key={at} class="note">
            <Said>{system}</Said> failed: {visible(error)}
          </p>
        ))}
    </section>
  );
}

const SPOKEN = { other: "differs", missing: "missing", extra: "added" };

const Heard = ({ word, kind }) => (
  <td class={kind === "none" ? "" : kind}>
    {kind === "missing" ? <span aria-hidden="true">{"\u2205"}</span> : visible(word)}
    {SPOKEN[kind] && <span class="hidden"> ({SPOKEN[kind]})</span>}
  </td>
);

const WORDS = { "<": "at least", ">": "at most", ">=": "below" };

function Rules({ meta, row }) {
  if (!meta.rules.length) return null;
  return (
    <section>
      <h3>Rules</h3>
      {row.broken === null && <p class="note">A stage gave this verdict; no threshold was tried.</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="All rules">
        <table class="rules">
          <thead>
            <tr>
              <th scope="col">rule</th>
              <th scope="col" class="n">value</th>
              <th scope="col" class="n">must be</th>
              <th scope="col" class="n">margin</th>
              <th scope="col">verdict</th>
            </tr>
          </thead>
          <tbody>
            {meta.rules.map((rule, bit) => (
              <Rule key={rule.field} rule={rule} row={row} value={valueOf(row, rule)} bit={bit} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Rule({ rule, row, value, bit }) {
  const has = (bits) => bits !== null && Math.floor(bits / 2 ** bit) % 2 === 1;
  const margin = value === null ? null : rule.breaks === "<" ? value - rule.threshold : rule.threshold - value;
  const state = row.broken === null ? "not tried" : isApart(row, rule) ? "not applied" : has(row.broken) ? "broken" : has(row.missing) ? "not measured" : "met";
  return (
    <tr class={state.replace(" ", "-")}>
      <th scope="row" title={rule.meaning || undefined}>
        <Field>{rule.field}</Field>
      </th>
      <td class="n">{number(value)}</td>
      <td class="n">
        {WORDS[rule.breaks]} {number(rule.threshold)}
      </td>
      <td class="n">{margin === null ? "\u2013" : `${margin > 0 ? "+" : ""}${number(Number(margin.toPrecision(3)))}`}</td>
      <td>
        <span class={`state ${state.replace(" ", "-")}`}>{state === "not applied" ? `not applied: has ${rule.unless}` : state}</span>
        {rule.field === row.reason && <span class="note"> the reason</span>}
      </td>
    </tr>
  );
}

function Marking({ row, marks, onMark }) {
  const mine = marks.filter((mark) => mark.id === row.id);
  const has = (kind, verdict) => mine.find((mark) => mark.kind === kind && mark.verdict === verdict);
  const wrong = has("text", "wrong");
  return (
    <section class="marking" aria-label="Marks">
      <div class="row">
        {KINDS.map((item) => (
          <button key={item.key} type="button" class="mark" aria-pressed={Boolean(has(item.kind, item.verdict))} title={`${item.title} (${item.key})`} onClick={() => onMark(row, item.kind, item.verdict)}>
            <kbd aria-hidden="true">{item.key}</kbd>
            {item.label}
          </button>
        ))}
        <span class="gap" />
        <span class="note">wrong</span>
        {TAGS.map((kind) => (
          <button key={kind} type="button" class="mark quiet" aria-pressed={Boolean(has(kind, "wrong"))} title={`The ${kind} is wrong`} onClick={() => onMark(row, kind, "wrong")}>
            {kind}
          </button>
        ))}
      </div>
      {wrong && (
        <label class="correct">
          What is said
          <textarea rows={2} dir="auto" value={wrong.text ?? row.text ?? ""} onChange={(event) => onMark(row, "text", "wrong", { text: event.currentTarget.value })} />
        </label>
      )}
    </section>
  );
}
