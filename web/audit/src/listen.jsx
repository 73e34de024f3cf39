// The list of segments that a filter lets through, and the one that is heard; all of it by keyboard.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Card } from "./card.jsx";
import { KINDS } from "./marks.js";
import { ORDERS, address, command, filtered, foundBy, reasonOf, sql, sqlCommand, untold } from "./query.js";
import { changeOf } from "./thresholds.jsx";
import { count, csvCell, seconds, visible } from "./text.js";
import { Badge, Code, Copy, Said, languageName } from "./ui.jsx";

const PAGE = 60;

export function Listen({ meta, rows: all, asked, fetched, edges, route, marks, onMark, undo, ready: read, go, setQuestion }) {
  const { filter, id } = route;
  const rows = useMemo(() => (filter.of ? all.filter((row) => asked.has(row.key)) : all), [all, asked, filter.of]);
  const ready = read && (!meta.served || id === null || fetched === id || all.some((row) => row.key === id));
  const shown = useMemo(
    () => filtered(rows, filter, (row) => changeOf(meta, row, edges)),
    [rows, JSON.stringify(filter), edges],
  );
  const wanted = id === null ? 0 : shown.findIndex((row) => row.key === id);
  const at = wanted < 0 ? 0 : wanted;
  const row = shown[at];
  const control = useRef({});
  const come = useRef({}); // the row that was gone to, and how
  const pick = (place, clicked = false) => {
    const next = shown[Math.min(Math.max(place, 0), shown.length - 1)];
    if (!next || (next === row && wanted >= 0)) return; // who stays has come as before
    come.current = { key: next.key, how: clicked && place !== at + 1 ? "picked" : "random" };
    location.replace(address("listen", filter, next.key));
  };
  const way = come.current.key === row?.key ? come.current.how : wanted < 0 || id === null ? "random" : "linked";
  const found = foundBy(filter) === "random" ? way : foundBy(filter);
  const say = (what, kind, verdict, changes) => onMark(what, kind, verdict, found, changes);
  const change = (name, value) => (location.hash = address("listen", { ...filter, [name]: value === "" && name !== "language" ? undefined : value }));
  useKeys({ pick, at, row, control, onMark: say, undo });

  return (
    <>
      <Filters meta={meta} rows={rows} filter={filter} change={change} />
      {id !== null && wanted < 0 && ready && (
        <p class="note" role="alert">
          The segment <code>{visible(id)}</code> is not in {Object.keys(filter).length ? "what the filter lets through" : meta.served ? "the corpus" : "the sample"}.
        </p>
      )}
      <div class="listen">
        <section class="list" aria-label="Segments">
          <p class="note" role="status">
            {ready ? `${count(shown.length)} of ${count(rows.length)} segments of the ${filter.of ? "answer" : "sample"}` : `reading ${count(rows.length)} of ${count(meta.rows)} \u2026`}
          </p>
          <List shown={shown} at={at} pick={pick} marks={marks} />
        </section>
        {row ? (
          <Card meta={meta} row={row} found={found} marks={marks} onMark={say} control={control} />
        ) : (
          ready && <p class="empty">{all.length ? "Nothing in the sample fits the filter." : "This corpus has no segment: nothing was heard in it that could be one."}</p>
        )}
      </div>
      <Take meta={meta} filter={filter} shown={shown} go={go} setQuestion={setQuestion} />
    </>
  );
}

function Filters({ meta, rows, filter, change }) {
  const reasons = useMemo(() => [...new Set(rows.map(reasonOf))].sort(), [rows]);
  const others = ["speaker", "recording", "change", "of"].filter((name) => filter[name] !== undefined);
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        Verdict
        <select value={filter.reason ?? ""} onChange={(event) => change("reason", event.currentTarget.value)}>
          <option value="">all</option>
          <option value="kept">kept</option>
          <option value="rejected">rejected, any reason</option>
          {reasons.filter((name) => name !== "kept").map((name) => (
            <option key={name} value={name}>
              {visible(name)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Language
        <select value={filter.language ?? "*"} onChange={(event) => change("language", event.currentTarget.value === "*" ? undefined : event.currentTarget.value)}>
          <option value="*">all</option>
          {meta.cube.languages.map((code) => (
            <option key={code} value={code}>
              {languageName(code)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Order
        <select value={filter.order ?? "random"} onChange={(event) => change("order", event.currentTarget.value === "random" ? "" : event.currentTarget.value)}>
          {Object.entries(ORDERS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="search">
        Search
        <input id="search" type="search" value={filter.q ?? ""} placeholder="text, speaker, file, id" onInput={(event) => change("q", event.currentTarget.value)} />
      </label>
      {others.map((name) => (
        <button key={name} type="button" class="chip" onClick={() => change(name, undefined)} aria-label={`Remove the filter by ${name}`}>
          {name === "of" ? "of the" : `${name}:`} <Said>{filter[name] || "unknown"}</Said> {"\u00d7"}
        </button>
      ))}
    </form>
  );
}

function List({ shown, at, pick, marks }) {
  const [first, setFirst] = useState(0);
  const box = useRef(null);
  useEffect(() => {
    if (at < first || at >= first + PAGE) setFirst(Math.floor(at / PAGE) * PAGE);
  }, [at, shown]);
  useEffect(() => {
    const element = box.current?.querySelector("[aria-selected=true]");
    if (!element) return;
    const [top, height] = [element.offsetTop, element.offsetHeight];
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    else if (top + height > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = top + height - box.current.clientHeight;
  }, [at, first, shown]);
  const marked = useMemo(() => new Set(marks.map((mark) => mark.id)), [marks]);
  const move = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    pick(at + step);
  };
  const begin = Math.min(first, Math.max(0, shown.length - 1));
  return (
    <>
      <ul ref={box} role="listbox" aria-label="Segments" tabIndex={0} aria-activedescendant={shown.length ? `row-${at}` : undefined} onKeyDown={move}>
        {shown.slice(begin, begin + PAGE).map((row, place) => (
          <li key={row.key} id={`row-${begin + place}`} data-id={row.key} role="option" aria-selected={begin + place === at} onClick={() => pick(begin + place, true)}>
            <span class="line">
              <Badge status={row.status} />
              <span class="reason">{visible(row.reason)}</span>
              {marked.has(row.id) && <span class="marked">marked</span>}
              <span class="n">{seconds(row.seconds)}</span>
            </span>
            <span class="text">
              {row.text ? <Said lang={row.language}>{row.text}</Said> : <em>no text</em>}
            </span>
          </li>
        ))}
      </ul>
      {shown.length > PAGE && (
        <div class="row pager">
          <button type="button" class="quiet" disabled={begin === 0} onClick={() => pick(begin - PAGE)}>
            Earlier
          </button>
          <span class="note">
            {count(begin + 1)}
            {"\u2013"}
            {count(Math.min(begin + PAGE, shown.length))}
          </span>
          <button type="button" class="quiet" disabled={begin + PAGE >= shown.length} onClick={() => pick(begin + PAGE)}>
            Later
          </button>
        </div>
      )}
    </>
  );
}

const without = (filter, names) => {
  const found = untold(filter, names);
  return found.length ? `, whatever ${found.map((name) => ({ q: "the search", of: "the answer", order: "the order" })[name] ?? `the ${name}`).join(", ")}` : "";
};

function Take({ meta, filter, shown, go, setQuestion }) {
  const csv = () =>
    [["id", "status", "reason", "language", "speaker", "seconds", "text"], ...shown.map((row) => [row.key, row.status, row.reason, row.language, row.speaker, row.seconds, row.text])]
      .map((cells) => cells.map(csvCell).join(","))
      .join("\r\n");
  return (
    <details class="take">
      <summary>This filter as SQL, as a command, as CSV</summary>
      {meta.served && (
        <p>
          <button type="button" onClick={() => (setQuestion((old) => ({ ...old, sql: sql(filter) })), go("ask"))}>
            Ask all segments
          </button>
        </p>
      )}
      <Code title={`SQL, on all segments${without(filter, [...(meta.share && filter.speaker ? ["speaker"] : []), "change", "of", "order"])}`} text={sqlCommand(meta, filter)} />
      <Code title={`A random sample${without(filter, ["language", "speaker", "recording", "q", "change", "of", "order"])}`} text={command(meta, filter)} />
      <p>
        <Copy text={csv}>Copy the {count(shown.length)} rows as CSV</Copy>
      </p>
    </details>
  );
}

const TYPING = "input, textarea, select, [contenteditable]";

function useKeys(state) {
  const now = useRef(state);
  now.current = state;
  useEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { pick, at, row, control, onMark, undo } = now.current;
      const typing = event.target.matches?.(TYPING) && event.target.type !== "range";
      if (event.key === "Escape" && typing) return event.target.blur();
      if (typing || (event.key === " " && event.target.matches?.("button, a, summary"))) return;
      const kind = KINDS.find((item) => item.key === event.key);
      const actions = {
        j: () => pick(at + 1),
        k: () => pick(at - 1),
        " ": () => control.current.play?.(),
        b: () => control.current.other?.(),
        u: undo,
        "/": () => document.getElementById("search")?.focus(),
      };
      const act = kind ? () => row?.id && onMark(row, kind.kind, kind.verdict) : actions[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
