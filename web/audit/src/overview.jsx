// Where the hours went: a waterfall from the input to what is kept, which adds up.

import { Field, Languages, STATUS, Tile } from "./ui.jsx";
import { count, counted, duration, inColumn, percent, visible } from "./text.js";

export function Overview({ meta, state, result, moved, go }) {
  const input = result.reasons.reduce((sum, line) => sum + line.samples, 0);
  const kept = result.total.kept;
  const hours = (code) => result.byLanguage[meta.cube.languages.indexOf(code)].all.samples;
  const spoken = meta.cube.languages.filter(Boolean).sort((a, b) => hours(b) - hours(a)).map(visible);
  return (
    <>
      <dl class="tiles">
        <Tile label="Input" value={duration(input)} note={counted(meta.recordings_count, "recording")} />
        <Tile label="Kept" value={duration(kept.samples)} note={`${percent(kept.samples, input)} of the input`} />
        <Tile label="Utterances kept" value={count(kept.count)} note={`of ${counted(result.total.all.count, "segment")}`} />
        <Tile label="Speakers" value={count(meta.speakers.count)} note="of what is kept" />
        <Tile label="Languages" value={count(spoken.length)} note={spoken.slice(0, 4).join(", ") + (spoken.length > 4 ? ", \u2026" : "")} />
      </dl>
      <section aria-labelledby="where">
        <h2 id="where">Where the hours went</h2>
        {moved && (
          <p class="note">
            As the sliders stand, not as published. <a href="#/thresholds">See the sliders</a>
          </p>
        )}
        <Waterfall lines={result.reasons} input={input} meta={meta} go={go} />
      </section>
      {result.total.all.count > 0 && (
        <section aria-labelledby="languages">
          <h2 id="languages">Languages</h2>
          <Languages {...result} languages={meta.cube.languages} moved={moved} onPick={(language) => go("listen", { language })} />
        </section>
      )}
    </>
  );
}

function Waterfall({ lines, input, meta, go }) {
  let left = input;
  const bars = lines.map((line) => {
    left -= line.samples;
    const begin = line.status === "kept" ? 0 : left;
    return { ...line, begin };
  });
  const kept = lines.find((line) => line.status === "kept") ?? { samples: 0 };
  const whole = lines.reduce((sum, line) => sum + line.samples, 0);
  const names = Object.fromEntries(meta.rules.map((rule) => [rule.field, rule.meaning]));
  return (
    <table class="waterfall">
      <caption class="hidden">From the input to what is kept, by reason</caption>
      <colgroup>
        <col />
        <col />
        <col />
        <col />
        <col />
      </colgroup>
      <thead class="hidden">
        <tr>
          <th scope="col">reason</th>
          <th scope="col">place in the input</th>
          <th scope="col">duration</th>
          <th scope="col">share</th>
          <th scope="col">count</th>
        </tr>
      </thead>
      <tbody>
        <Step name="input" status="input" begin={0} samples={whole} input={input} />
        {bars.map((line) => (
          <Step
            key={`${line.status} ${line.reason}`}
            {...line}
            input={input}
            name={line.reason || STATUS[line.status]}
            title={names[line.reason]}
            onPick={["non_speech", "removed"].includes(line.status) ? null : () => go("listen", { reason: pick(line) })}
          />
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td colSpan={5}>
            {duration(input)} of input = {duration(input - kept.samples)} left out + {duration(kept.samples)} kept
          </td>
        </tr>
      </tfoot>
    </table>
  );
}

const pick = (line) => (line.status === "kept" ? "kept" : line.status === "failed" ? `failed ${line.reason}` : line.reason);

function Step({ name, status, begin, samples, input, title, onPick, count: n }) {
  const duration = inColumn(input);
  const share = (value) => `${input ? (100 * value) / input : 0}%`;
  const label = ["failed", "removed"].includes(status) ? `${status}: ${name}` : name;
  return (
    <tr class={status}>
      <th scope="row">
        {onPick ? (
          <button type="button" class="link" onClick={onPick} title={title || undefined}>
            <Field>{label}</Field>
          </button>
        ) : (
          <Field>{label}</Field>
        )}
      </th>
      <td class="track" aria-hidden="true" onClick={onPick ?? undefined}>
        <span class="rail">
          <span class={`fill ${status}`} style={{ left: share(begin), width: share(samples) }} />
        </span>
      </td>
      <td class="n">{duration(samples)}</td>
      <td class="n">{percent(samples, input)}</td>
      <td class="n few">{n === undefined ? "" : count(n)}</td>
    </tr>
  );
}
