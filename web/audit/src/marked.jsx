// What was marked, and its download for `curation marks import`.

import { link } from "./query.js";
import { jsonl } from "./marks.js";
import { counted, shellWord, visible } from "./text.js";
import { Code } from "./ui.jsx";

export function Marks({ meta, rows, marks, forget, kept, download }) {
  const texts = new Map(rows.map((row) => [row.id, row.text]));
  return (
    <>
      <h2>Marks</h2>
      {!kept && <p role="alert">This browser keeps nothing for this page: download the marks before you close it.</p>}
      {marks.length === 0 ? (
        <p class="empty">
          Nothing is marked yet. In <a href="#/listen">Listen</a>, the keys 1 to 4 mark a segment; the marks stay in this
          browser until you remove them.
        </p>
      ) : (
        <>
          <div class="row">
            <button type="button" class="main" onClick={() => download("marks.jsonl", jsonl(marks))}>
              Download {counted(marks.length, "mark")}
            </button>
            <button type="button" class="quiet" onClick={() => confirm("Remove all marks from this browser?") && forget()}>
              Remove all
            </button>
          </div>
          <Code title="Take them into the corpus" text={`curation marks import ${shellWord(meta.path)} marks.jsonl`} />
          <div class="scroll" role="region" aria-label="Marks" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">mark</th>
                  <th scope="col">segment</th>
                  <th scope="col">at</th>
                  <th scope="col">
                    <span class="hidden">remove</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {marks.map((mark) => (
                  <tr key={`${mark.id} ${mark.kind}`}>
                    <th scope="row">
                      {visible(mark.kind)} {visible(mark.verdict)}
                    </th>
                    <td>
                      <a href={link(mark.id)}>{visible(mark.text ?? texts.get(mark.id) ?? mark.id)}</a>
                    </td>
                    <td class="n">{visible(mark.at).slice(0, 16).replace("T", " ")}</td>
                    <td>
                      <button type="button" class="quiet" onClick={() => forget(mark)}>
                        Remove
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </>
  );
}
