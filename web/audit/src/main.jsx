// The page: tabs, the address of what is shown, the theme, and what was marked.

import "./style.css";
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Ask } from "./ask.jsx";
import { configured, evaluate } from "./cube.js";
import { listen, readRows, rowOf } from "./data.js";
import { Diff } from "./diff.jsx";
import { Listen } from "./listen.jsx";
import { download, jsonl, load, mark as made, save } from "./marks.js";
import { Marks } from "./marked.jsx";
import { Overview } from "./overview.jsx";
import { address, parsed, sql } from "./query.js";
import { ask } from "./server.js";
import { Speakers } from "./speakers.jsx";
import { Systems } from "./systems.jsx";
import { count, visible } from "./text.js";
import { Thresholds } from "./thresholds.jsx";

const tabsOf = (meta) => TABS.filter(([key]) => (key !== "diff" || meta.diff) && (key !== "ask" || meta.served));

const TABS = [
  ["overview", "Overview", Overview],
  ["thresholds", "Thresholds", Thresholds],
  ["listen", "Listen", Listen],
  ["ask", "Ask", Ask],
  ["systems", "Systems", Systems],
  ["speakers", "Speakers", Speakers],
  ["diff", "Diff", Diff],
  ["marks", "Marks", Marks],
];

function App({ meta }) {
  const [route, setRoute] = useState(() => parsed(location.hash));
  const [rows, setRows] = useState([]);
  const [state, setState] = useState("reading");
  const [question, setQuestion] = useState({ sql: sql({}) + "\nLIMIT 100", answer: null, error: "", busy: false });
  const [edges, setEdges] = useState(() => configured(meta));
  const { marks, onMark, undo, forget, kept } = useMarks(meta);
  const { all, asked, fetched, hear } = useServer(meta, rows, state, route);
  useEffect(() => {
    const follow = () => setRoute(parsed(location.hash));
    addEventListener("hashchange", follow);
    readRows(meta, () => {}).then(
      (found) => {
        setRows(found);
        setState("ready");
      },
      (error) => setState(`The segments could not be read: ${error.message}`),
    );
    return () => removeEventListener("hashchange", follow);
  }, []);
  const result = useMemo(() => evaluate(meta, edges), [edges]);
  const moved = edges.some((edge, dim) => edge !== configured(meta)[dim]);
  const go = (tab, filter, id = null) => {
    location.hash = address(tab, filter, id);
    scrollTo(0, 0);
  };
  const [name, , Tab] = tabsOf(meta).find(([key]) => key === route.tab) ?? TABS[0];
  const ready = state === "ready";
  const props = { meta, rows: all, asked, fetched, question, setQuestion, edges, setEdges, result, moved, route, go, marks, onMark, undo, forget, kept, ready, download };
  props.hear = (ids) => hear(ids).then(() => go("listen", { of: "answer" }));
  return (
    <>
      <Head meta={meta} tab={name} marks={marks.length} />
      <main id="main" data-state={state}>
        {state !== "ready" && state !== "reading" && <p role="alert">{state}</p>}
        <Tab {...props} />
      </main>
      <Foot meta={meta} />
    </>
  );
}

// Segments that a server was asked for: the one that the address names, and those of an answer.
function useServer(meta, rows, state, route) {
  const [extra, setExtra] = useState([]);
  const [asked, setAsked] = useState(new Set());
  const [fetched, setFetched] = useState("");
  const all = useMemo(() => [...rows, ...extra], [rows, extra]);
  const fetchRows = async (ids) => {
    const known = new Set(all.map((row) => row.key));
    const missing = ids.filter((id) => !known.has(id));
    if (!missing.length) return;
    const found = await ask("rows", { ids: missing });
    setExtra((old) => [...old, ...found.map((values, at) => rowOf(meta, values, rows.length + old.length + at))]);
  };
  const hear = async (ids) => {
    await fetchRows(ids);
    setAsked(new Set(ids));
  };
  useEffect(() => {
    if (!meta.served || state !== "ready" || route.id === null || fetched === route.id) return;
    fetchRows([route.id]).catch(() => {}).finally(() => setFetched(route.id)); // the list says that it is not there
  }, [route.id, state]);
  return { all, asked, fetched, hear };
}

function Head({ meta, tab, marks }) {
  useEffect(() => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [tab]);
  return (
    <header class="head">
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.querySelector("main").querySelector("h2, article, select")?.scrollIntoView())}>
        To the content
      </a>
      <h1>
        <bdi>{visible(meta.name)}</bdi> <small>audit</small>
      </h1>
      <nav aria-label="Views">
        {tabsOf(meta).map(([key, label]) => (
          <a key={key} href={address(key)} aria-current={key === tab ? "page" : undefined}>
            {label}
            {key === "marks" && marks > 0 && <span class="pill">{count(marks)}</span>}
          </a>
        ))}
      </nav>
      <Theme />
    </header>
  );
}

const THEMES = ["auto", "light", "dark"];

function Theme() {
  const [theme, setTheme] = useState(() => stored() ?? "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("curation-theme", theme);
    } catch {
      // The browser keeps nothing for this page; the theme lasts as long as the page.
    }
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return (
    <button type="button" class="quiet theme" onClick={() => setTheme(next)} aria-label={`Theme: ${theme}; change to ${next}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M8 1a7 7 0 1 0 0 14z" />
        <circle cx="8" cy="8" r="6.5" class="ring" />
      </svg>
      {theme}
    </button>
  );
}

function stored() {
  try {
    const found = localStorage.getItem("curation-theme");
    return THEMES.includes(found) ? found : null;
  } catch {
    return null;
  }
}

function Foot({ meta }) {
  return (
    <footer class="foot">
      <p>
        {count(meta.rows)} of {count(meta.cube.cells.count.reduce((a, b) => a + b, 0) + meta.cube.fixed.reduce((a, row) => a + row[3], 0))} segments can be read
        {meta.audio === "none" ? "" : " and heard"}: a random sample by reason, language and distance from the threshold, seed {meta.seed}. All sums are of all segments.
        {meta.share && " Made to be given away: without voices, paths and names of speakers."}
      </p>
      <p>
        Index <code data-corpus={meta.corpus}>{meta.corpus.slice(0, 12)}</code>, curation {meta.software}. Keys in Listen: <kbd>j</kbd> <kbd>k</kbd> next and
        previous, <kbd>space</kbd> play, <kbd>b</kbd> published or source, <kbd>1</kbd>
        {"\u2013"}
        <kbd>4</kbd> mark, <kbd>u</kbd> undo, <kbd>/</kbd> search.
      </p>
    </footer>
  );
}

function useMarks(meta) {
  const [marks, setMarks] = useState(() => load(meta.corpus));
  const [kept, setKept] = useState(true);
  const latest = useRef(marks);
  const keep = (next) => {
    latest.current = next;
    setMarks(next);
    setKept(save(meta.corpus, next));
  };
  const onMark = async (row, kind, verdict, found, changes) => {
    const same = (mark) => mark.id === row.id && mark.kind === kind;
    const before = latest.current.find(same);
    const others = latest.current.filter((mark) => !same(mark));
    if (before?.verdict === verdict && !changes) return keep(others);
    // What was drawn stays drawn when it is found again, and marked anew.
    const fresh = await made(meta, row, kind, verdict, before?.found === "random" ? "random" : found, changes);
    keep([...latest.current.filter((mark) => !same(mark)), fresh]);
  };
  return { marks, kept, onMark, undo: () => keep(latest.current.slice(0, -1)), forget: (mark) => keep(mark ? latest.current.filter((item) => item !== mark) : []) };
}

listen((values) =>
  values.then(
    (meta) => {
      document.title = `${visible(meta.name)} – audit`;
      const root = document.getElementById("app");
      root.replaceChildren();
      render(<App meta={meta} />, root);
    },
    (error) => {
      document.getElementById("app").textContent = `data/meta.js cannot be read: ${error.message}`;
    },
  ),
);
