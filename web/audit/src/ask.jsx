// SQL over all segments, which a server answers; what it finds can be heard.

import { useState } from "preact/hooks";
import { link } from "./query.js";
import { ask } from "./server.js";
import { count, counted, number, visible } from "./text.js";

export const MOST = 500; // segments that are fetched at once

const shown = (value) => (value === null ? "" : typeof value === "number" ? number(value) : typeof value === "string" ? visible(value) : visible(JSON.stringify(value)));

export function Ask({ question, setQuestion, hear }) {
  const { sql, answer, error, busy } = question;
  const change = (next) => setQuestion((old) => ({ ...old, ...next }));
  const run = async () => {
    if (busy) return;
    change({ busy: true, error: "" });
    const begun = performance.now();
    try {
      const found = await ask("query", { sql });
      change({ busy: false, answer: { ...found, seconds: (performance.now() - begun) / 1000 } });
    } catch (problem) {
      change({ busy: false, answer: null, error: problem.message });
    }
  };
  const keyed = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  };
  return (
    <>
      <h2>Ask all segments</h2>
      <form class="ask" onSubmit={(event) => (event.preventDefault(), run())}>
        <label for="sql">
          A SELECT of DuckDB over the tables <code>segments</code> and <code>ledger</code>
        </label>
        <textarea id="sql" rows={Math.min(14, sql.split("\n").length + 1)} spellcheck={false} value={sql} onInput={(event) => change({ sql: event.currentTarget.value })} onKeyDown={keyed} />
        <div class="row">
          <button type="submit" class="main" disabled={busy}>
            {busy ? "Asking \u2026" : "Ask"}
          </button>
          <span class="note">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> asks too
          </span>
        </div>
      </form>
      {error && (
        <pre class="problem" role="alert">
          {visible(error).replaceAll("\\u000a", "\n")}
        </pre>
      )}
      <p class="note" role="status">
        {answer && `${answer.more ? `the first ${count(answer.rows.length)} rows` : counted(answer.rows.length, "row")}, ${answer.seconds.toFixed(1)} s`}
      </p>
      {answer && <Answer answer={answer} hear={hear} />}
    </>
  );
}

function Answer({ answer, hear }) {
  const [problem, setProblem] = useState("");
  const id = answer.columns.indexOf("id");
  const ids = id < 0 ? [] : [...new Set(answer.rows.map((row) => row[id]).filter((value) => typeof value === "string"))].slice(0, MOST);
  const numeric = answer.columns.map((_, at) => answer.rows.every((row) => row[at] === null || typeof row[at] === "number"));
  return (
    <>
      {ids.length > 0 && (
        <div class="row">
          <button type="button" onClick={() => hear(ids).catch((error) => setProblem(error.message))}>
            Listen to {ids.length === MOST ? "the first " : ""}
            {counted(ids.length, "segment")}
          </button>
        </div>
      )}
      {problem && <p role="alert">{problem}</p>}
      <div class="scroll tall" role="region" aria-label="Answer" tabIndex={0}>
        <table class="answer">
          <thead>
            <tr>
              {answer.columns.map((name, at) => (
                <th key={at} scope="col" class={numeric[at] ? "n" : ""}>
                  {visible(name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.rows.map((row, place) => (
              <tr key={place}>
                {row.map((value, at) => (
                  <td key={at} class={numeric[at] ? "n" : ""}>
                    {at === id && typeof value === "string" ? <a href={link(value)}>{visible(value)}</a> : <bdi dir="auto">{shown(value)}</bdi>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
