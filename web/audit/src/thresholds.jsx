// Sliders for every threshold: what another value would keep, exactly, and what that sounds like.

import { configured, histogram, verdictOfRow } from "./cube.js";
import { valueOf } from "./data.js";
import { settings } from "./query.js";
import { counted, duration, number, percent, shellWord, visible } from "./text.js";
import { Code, Field, Languages, Said, Tile } from "./ui.jsx";

const SIGNS = { "<": "at least", ">": "at most", ">=": "below" };

// Whether a row is gained or lost where the sliders stand; empty where its verdict is as published.
export function changeOf(meta, row, edges) {
  const now = verdictOfRow(meta, row, edges).status;
  const before = verdictOfRow(meta, row, configured(meta)).status;
  return now === before ? "" : now === "kept" ? "gained" : before === "kept" ? "lost" : "";
}

export function Thresholds({ meta, rows, edges, setEdges, result, moved, go }) {
  const { kept, before, gained, lost } = result.total;
  const start = configured(meta);
  const move = (dim, edge) => setEdges(edges.map((old, at) => (at === dim ? edge : old)));
  if (!meta.rules.length) return <p>No threshold is on in this corpus.</p>;
  return (
    <div class="sides">
      <section aria-labelledby="sliders">
        <h2 id="sliders">Thresholds</h2>
        <p class="note">
          A slider stops where the sums are exact. Bars are hours of segments that meet all other thresholds.
        </p>
        {meta.rules.map((rule, dim) => (
          <Slider key={rule.field} meta={meta} rule={rule} dim={dim} edges={edges} start={start[dim]} move={move} />
        ))}
      </section>
      <section aria-labelledby="effect" class="effect">
        <h2 id="effect">Effect</h2>
        <dl class="tiles" aria-live="polite">
          <Tile label="Kept" value={duration(kept.samples)} note={counted(kept.count, "utterance")} />
          <Tile label="Change" value={duration(kept.samples - before.samples, true)} note={percent(kept.samples - before.samples, before.samples)} />
          <Tile label="Gained" value={<span class="gained">{duration(gained.samples)}</span>} note={counted(gained.count, "utterance")} />
          <Tile label="Lost" value={<span class="lost">{duration(lost.samples)}</span>} note={counted(lost.count, "utterance")} />
        </dl>
        <Languages {...result} languages={meta.cube.languages} moved={moved} onPick={(language) => go("listen", moved ? { language, change: gained.count ? "gained" : "lost" } : { language })} />
        {moved ? (
          <>
            <div class="row">
              <button type="button" onClick={() => setEdges(start)}>
                Back to the published thresholds
              </button>
            </div>
            <Examples meta={meta} rows={rows} edges={edges} go={go} />
            <Code title="The same on the whole corpus" text={`curation whatif ${shellWord(meta.path)} ${settings(meta, edges, start).join(" ")}`} />
            <Code title="Publish it so; no model runs" text={`curation build -o ${shellWord(meta.path)} ${settings(meta, edges, start).join(" ")}`} />
          </>
        ) : (
          <p class="note">Move a slider: what changes its verdict is listed here, to be heard.</p>
        )}
      </section>
    </div>
  );
}

function Slider({ meta, rule, dim, edges, start, move }) {
  const stops = meta.cube.edges[dim];
  const bins = histogram(meta, dim, edges);
  const most = Math.max(...bins, 1);
  const at = edges[dim];
  const out = (bin) => (rule.breaks === "<" ? bin <= at : bin > at);
  const shown = number(stops[at]);
  const id = stops.length < 2 ? undefined : `slider-${dim}`;
  return (
    <div class={`slider ${at === start ? "" : "moved"}`}>
      <label for={id}>
        <span class="field"><Field>{rule.field}</Field></span>
        <output for={id}>
          {SIGNS[rule.breaks]} <b>{shown}</b>
        </output>
      </label>
      <p class="meaning">{rule.meaning}</p>
      {stops.length < 2 ? (
        <p class="note">{bins.some(Boolean) ? "More stops would be too many for a page: `curation whatif` tries any value." : "Nothing to move: no segment to which it applies has the score."}</p>
      ) : (
        <div class="plot" style={{ "--edges": stops.length }}>
          <svg viewBox={`0 0 ${bins.length * 10} 40`} preserveAspectRatio="none" aria-hidden="true">
            {bins.map((samples, bin) => {
              const height = samples ? Math.max(1, (38 * samples) / most) : 0;
              return <rect key={bin} class={out(bin) ? "rejected" : "kept"} x={bin * 10 + 0.6} width={8.8} y={40 - height} height={height} />;
            })}
          </svg>
          <input
            id={id}
            type="range"
            min={0}
            max={stops.length - 1}
            step={1}
            value={at}
            aria-valuetext={`${SIGNS[rule.breaks]} ${shown}${at === start ? ", as published" : ""}`}
            onInput={(event) => move(dim, Number(event.currentTarget.value))}
          />
          <div class="ends" aria-hidden="true">
            <span>{number(stops[0])}</span>
            {at !== start && (
              <button type="button" class="link" tabIndex={-1} onClick={() => move(dim, start)}>
                published: {number(rule.threshold)}
              </button>
            )}
            <span>{number(stops.at(-1))}</span>
          </div>
        </div>
      )}
    </div>
  );
}

// By which rule a row was out, or is out now, and by which value.
function reasonFor(meta, row, edges, change) {
  const field = change === "lost" ? verdictOfRow(meta, row, edges).reason : row.reason;
  const rule = meta.rules.find((item) => item.field === field);
  return `${change === "lost" ? "lost to" : "gained from"} ${visible(field)} ${rule ? number(valueOf(row, rule)) : ""}`;
}

function Examples({ meta, rows, edges, go }) {
  const changed = rows.filter((row) => changeOf(meta, row, edges)).slice(0, 20);
  return (
    <>
      <h3>The marginal band</h3>
      {changed.length === 0 && <p class="note">No segment of the sample changes its verdict.</p>}
      <ul class="examples">
        {changed.map((row) => {
          const change = changeOf(meta, row, edges);
          return (
            <li key={row.key}>
              <button type="button" onClick={() => go("listen", { change }, row.key)}>
                <span class={`sign ${change}`}>{change === "gained" ? "+" : "\u2212"}</span>
                <Said lang={row.language}>{row.text || "(no text)"}</Said>
                <span class="why">
                  {reasonFor(meta, row, edges, change)}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
