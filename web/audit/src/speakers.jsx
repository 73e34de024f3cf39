// Who speaks: how the kept hours are divided among speakers, and which recordings lose most.

import { count, duration, inColumn, number, percent, visible } from "./text.js";
import { Bar, Said, Tile, shortId } from "./ui.jsx";

export function Speakers({ meta, result, go }) {
  const { speakers, recordings } = meta;
  const kept = result.total.before.samples;
  if (!recordings.count) return <p class="empty">No segment has a speaker: none was found in this corpus.</p>;
  const share = (most) => percent(speakers.top.slice(0, most).reduce((sum, row) => sum + row[1], 0), kept);
  return (
    <>
      <dl class="tiles">
        <Tile label="Speakers" value={count(speakers.count)} note="of what is kept" />
        <Tile label="Gini coefficient" value={number(speakers.gini)} note="0 equal, 1 one speaker has all" />
        <Tile label="The first speaker" value={share(1)} note="of the kept hours" />
        <Tile label="The first ten" value={share(10)} note="of the kept hours" />
      </dl>
      {speakers.count > 0 && (
      <div class="sides even">
        <section>
          <h2>How hours are divided</h2>
          <Lorenz points={speakers.lorenz} />
        </section>
        <section>
          <h2>Speakers with most</h2>
          <List
            label="Speakers with most"
            head={["speaker", "share of kept hours", "kept", "utterances"]}
            rows={speakers.top.map(([name, samples, n]) => [name, samples, Math.max(speakers.top[0][1], 1), n])}
            onPick={(name) => go("listen", { speaker: name })}
          />
        </section>
      </div>
      )}
      <section>
        <h2>Recordings that lose most</h2>
        {recordings.count > recordings.top.length && (
          <p class="note">
            {count(recordings.top.length)} of {count(recordings.count)}.
          </p>
        )}
        <div class="scroll tall" role="region" aria-label="Recordings" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">recording</th>
                <th scope="col" class="wide">kept of its segments</th>
                <th scope="col" class="n">kept</th>
                <th scope="col" class="n">of</th>
                <th scope="col" class="n">segments</th>
              </tr>
            </thead>
            <tbody>
              {recordings.top.map(([name, path, n, samples, whole]) => (
                <tr key={name}>
                  <th scope="row">
                    <button type="button" class="link" onClick={() => go("listen", { recording: name })} title={visible(path ?? name)}>
                      <Said>{short(path) ?? shortId(name)}</Said>
                    </button>
                  </th>
                  <td class="wide">
                    <Bar total={recordings.top[0][3] ? Math.max(...recordings.top.map((row) => row[3])) : 1} parts={[["kept", whole], ["rest", samples - whole]]} label={percent(whole, samples)} />
                  </td>
                  <td class="n">{percent(whole, samples)}</td>
                  <td class="n">{duration(samples)}</td>
                  <td class="n">{count(n)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}

const short = (path) => path?.split("/").filter(Boolean).at(-1);

function List({ label, head, rows, onPick }) {
  const duration = inColumn(rows[0]?.[1] ?? 0);
  return (
    <div class="scroll tall" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name, at) => (
              <th key={name} scope="col" class={at === 1 ? "wide" : at ? "n" : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, samples, most, n]) => (
            <tr key={name}>
              <th scope="row">
                <button type="button" class="link" onClick={() => onPick(name)} title={visible(name)}>
                  <Said>{shortId(name) || "unknown"}</Said>
                </button>
              </th>
              <td class="wide">
                <Bar total={most} parts={[["kept", samples]]} label={duration(samples)} />
              </td>
              <td class="n">{duration(samples)}</td>
              <td class="n">{count(n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// The height of a curve, between two of its points too.
function at(points, place) {
  const next = points.findIndex(([a]) => a >= place);
  if (next < 1) return points.at(next)?.[1] ?? 0;
  const [[a, b], [c, d]] = [points[next - 1], points[next]];
  return b + ((d - b) * (place - a)) / (c - a);
}

function Lorenz({ points }) {
  const [size, left, top] = [300, 44, 10];
  const x = (value) => left + value * size;
  const y = (value) => top + (1 - value) * size;
  const line = points.map(([a, b], at) => `${at ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
  const half = at(points, 0.5);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${size + left + 16} ${size + top + 44}`} role="img" aria-label={`Lorenz curve: the half of the speakers with least has ${percent(half, 1)} of the kept hours`}>
        {ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
            <text class="tick" x={left - 8} y={y(tick) + 4} text-anchor="end">
              {100 * tick}
            </text>
            <text class="tick" x={x(tick)} y={y(0) + 18} text-anchor="middle">
              {100 * tick}
            </text>
          </g>
        ))}
        <line class="equal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        <path class="area" d={`${line}L${x(1)} ${y(0)}L${x(0)} ${y(0)}Z`} />
        <path class="curve" d={line} />
        <text class="axis" x={x(0.5)} y={y(0) + 36} text-anchor="middle">
          % of speakers, least first
        </text>
        <text class="axis" transform={`translate(12 ${y(0.5)}) rotate(-90)`} text-anchor="middle">
          % of kept hours
        </text>
      </svg>
      <figcaption>
        The half of the speakers with least has {percent(half, 1)} of the hours. On the straight line all would have the
        same.
      </figcaption>
    </figure>
  );
}
