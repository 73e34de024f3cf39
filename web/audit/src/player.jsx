// Waveform and sound of one segment: as published or as recorded, with the times of its words.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { clock, visible } from "./text.js";

const PIXELS_PER_SECOND = 84;

export function Player({ row, control }) {
  const audio = useRef(null);
  const [which, setWhich] = useState(row.audio ? "audio" : "source");
  const [time, setTime] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [broken, setBroken] = useState(false);
  const resume = useRef(null);
  const file = row[which];

  useEffect(() => {
    let frame = 0;
    const tick = () => {
      if (audio.current) setTime(audio.current.currentTime);
      frame = requestAnimationFrame(tick);
    };
    if (playing) frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const play = () => {
    const element = audio.current;
    if (!element) return;
    if (!element.paused) element.pause();
    else element.play().catch((error) => error.name !== "AbortError" && error.name !== "NotAllowedError" && setBroken(true));
  };
  const seek = (to, start = false) => {
    if (!audio.current) return;
    audio.current.currentTime = to;
    setTime(to);
    if (start && audio.current.paused) play();
  };
  const other = () => {
    if (!row.audio || !row.source) return;
    resume.current = { at: audio.current.currentTime, playing: !audio.current.paused };
    setWhich(which === "audio" ? "source" : "audio");
  };
  control.current = { play, other, seek };
  const ready = () => {
    if (!resume.current) return;
    const { at, playing: was } = resume.current;
    resume.current = null;
    audio.current.currentTime = at;
    if (was) audio.current.play().catch(() => {});
  };

  if (!file) return <Words row={row} time={-1} />;
  return (
    <div class="player">
      <audio
        ref={audio}
        src={`audio/${file}`}
        preload="auto"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setTime(0)}
        onLoadedMetadata={ready}
        onError={() => setBroken(true)}
      />
      <div class="row">
        <button type="button" class="play" onClick={play} aria-label={playing ? "Pause" : "Play"}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            {playing ? <path d="M4 2h3v12H4zM9 2h3v12H9z" /> : <path d="M4 2l10 6-10 6z" />}
          </svg>
        </button>
        <span class="time">
          {clock(time)} / {clock(row.seconds)}
        </span>
        <span class="spring" />
        {row.audio && row.source ? (
          <div class="segmented" role="group" aria-label="Which audio">
            {[["audio", "published"], ["source", "source"]].map(([kind, label]) => (
              <button key={kind} type="button" aria-pressed={which === kind} onClick={() => which !== kind && other()}>
                {label}
              </button>
            ))}
          </div>
        ) : (
          <span class="note">{row.audio ? "as published" : "as recorded; nothing was published"}</span>
        )}
      </div>
      {broken && <p class="note">This browser cannot play the file.</p>}
      <div class="scroll timeline" tabIndex={0} role="region" aria-label="Waveform and words">
        <div class="canvas" style={{ minWidth: `${Math.round(row.seconds * PIXELS_PER_SECOND)}px` }}>
          <Wave peaks={row.peaks} />
          <span class="head" style={{ left: `${(100 * time) / row.seconds}%` }} />
          <input
            type="range"
            class="seek"
            min={0}
            max={row.seconds}
            step={0.05}
            value={time}
            aria-label="Position"
            aria-valuetext={`${time.toFixed(1)} of ${row.seconds.toFixed(1)} seconds`}
            onInput={(event) => seek(Number(event.currentTarget.value))}
          />
          <Words row={row} time={time} onPick={(start) => seek(start, true)} />
        </div>
      </div>
    </div>
  );
}

function Wave({ peaks }) {
  const path = useMemo(() => {
    const values = peaks ? [...atob(peaks)].map((c) => c.charCodeAt(0) / 255) : [];
    return values.map((value, at) => `M${at + 0.5} ${(50 - 48 * Math.max(value, 0.01)).toFixed(1)}V${(50 + 48 * Math.max(value, 0.01)).toFixed(1)}`).join("");
  }, [peaks]);
  return (
    <svg class="wave" viewBox="0 0 240 100" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

function Words({ row, time, onPick }) {
  if (!row.words.length || !onPick) return null;
  const at = (seconds) => `${(100 * seconds) / row.seconds}%`;
  return (
    <div class="words" aria-hidden="true">
      {row.words.map(([word, start, end], place) => (
        <span
          key={place}
          class={time >= start && time < end ? "now" : ""}
          style={{ left: at(start), width: at(end - start) }}
          title={`${visible(word)}: ${start.toFixed(2)}\u2013${end.toFixed(2)} s`}
          onClick={() => onPick(start)}
        >
          {visible(word)}
        </span>
      ))}
    </div>
  );
}
