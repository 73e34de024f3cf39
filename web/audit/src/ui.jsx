// Small parts that every tab uses.

import { useRef, useState } from "preact/hooks";
import { count, inColumn, percent, visible } from "./text.js";

// A string of strangers: as text, with its own direction.
export const Said = ({ children, lang }) => (
  <bdi dir="auto" lang={/^[a-z]{2,3}$/.test(lang ?? "") ? lang : undefined}>
    {visible(children)}
  </bdi>
);

// The name of a setting, which may be broken into lines at its dots and underscores.
export const Field = ({ children }) => (
  <bdi>
    {visible(children)
      .split(/(?<=[._])/)
      .flatMap((part, at) => (at ? [<wbr key={at} />, part] : [part]))}
  </bdi>
);

// An id without the digest that tells files of the same name apart.
export const shortId = (id) => id.replace(/-[0-9a-f]{32}(?=-|$)/, "");

export const STATUS = {
  kept: "kept",
  rejected: "rejected",
  failed: "failed",
  non_speech: "non-speech",
  removed: "removed",
};

export const Badge = ({ status }) => <span class={`badge ${status}`}>{STATUS[status] ?? status}</span>;

// What a language is called: a code, or that nothing has said it.
export const languageName = (code) => visible(code) || "unknown";

export function Bar({ parts, total, label }) {
  return (
    <span class="bar" role="img" aria-label={label}>
      {parts.map(([kind, value], at) => (
        <span key={at} class={`fill ${kind}`} style={{ width: `${total ? (100 * value) / total : 0}%` }} />
      ))}
    </span>
  );
}

export function Tile({ label, value, note }) {
  return (
    <div class="tile">
      <dt>{label}</dt>
      <dd>
        {value}
        {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function Copy({ text, children, class: name = "" }) {
  const [done, setDone] = useState("");
  const timer = useRef(0);
  const copy = async () => {
    setDone((await toClipboard(typeof text === "function" ? text() : text)) ? "copied" : "not copied");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(""), 1500);
  };
  return (
    <button type="button" class={`quiet ${name}`} onClick={copy}>
      {children}
      <span class="said" role="status">
        {done && ` \u2013 ${done}`}
      </span>
    </button>
  );
}

export function Code({ title, text }) {
  return (
    <figure class="code">
      <figcaption>
        {title} <Copy text={text}>Copy</Copy>
      </figcaption>
      <pre tabIndex={0}>{visible(text).replaceAll("\\u000a", "\n")}</pre>
    </figure>
  );
}

export function Languages({ byLanguage, languages, moved, onPick }) {
  const rows = languages.map((code, at) => ({ code, ...byLanguage[at] })).sort((a, b) => b.all.samples - a.all.samples);
  const most = Math.max(...rows.map((row) => row.all.samples), 1);
  const duration = inColumn(Math.max(...rows.map((row) => row.kept.samples)));
  return (
    <div class="scroll" role="region" aria-label="Hours by language" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">language</th>
            <th scope="col" class="wide">kept of all segments</th>
            <th scope="col" class="n">kept</th>
            <th scope="col" class="n">share</th>
            {moved && <th scope="col" class="n">gained</th>}
            {moved && <th scope="col" class="n">lost</th>}
            {!moved && <th scope="col" class="n">segments</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.code}>
              <th scope="row">
                <button type="button" class="link" onClick={() => onPick(row.code)}>
                  <Said>{languageName(row.code)}</Said>
                </button>
              </th>
              <td class="wide">
                <Bar total={most} parts={[["kept", row.kept.samples], ["rest", row.all.samples - row.kept.samples]]} label={percent(row.kept.samples, row.all.samples)} />
              </td>
              <td class="n">{duration(row.kept.samples)}</td>
              <td class="n">{percent(row.kept.samples, row.all.samples)}</td>
              {moved && <td class="n gained">{row.gained.samples ? duration(row.gained.samples, true) : "\u2013"}</td>}
              {moved && <td class="n lost">{row.lost.samples ? duration(-row.lost.samples, true) : "\u2013"}</td>}
              {!moved && <td class="n">{count(row.all.count)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
