// The page of `curation serve`: one recording, one text, one voice, and what the API makes of them.
"use strict";

const $ = (id) => document.getElementById(id);
const KEY = "curation-key";
const SOUND = "audio/mpeg";
let model = "";
let recording = null; // a Blob
let running = null; // the AbortController of the request at work

async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) $("key-form").hidden = false;
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => null);
  throw new Error(body?.error?.message ?? `${path}: ${answer.status} ${answer.statusText}`);
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return { method: "POST", body: data };
}

const withRecording = (fields) => form({ file: recording, ...fields });

function show() {
  const busy = running !== null;
  for (const id of ["transcribe", "convert", "add"]) $(id).disabled = busy || !recording || !model;
  $("speak").disabled = busy || !model;
  $("forget").disabled = busy || ["", "default"].includes($("voice").value);
  $("stop").disabled = !busy;
}

// Runs one request at a time; whatever goes wrong is said in one place.
async function run(what, work) {
  if (running) return;
  running = new AbortController();
  $("error").textContent = "";
  $("state").textContent = `${what} …`;
  show();
  const begin = performance.now();
  const seconds = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  try {
    const noted = await work(running.signal, seconds);
    $("state").textContent = noted ?? `${what}: ${seconds()}`;
  } catch (error) {
    const stopped = error.name === "AbortError";
    $("state").textContent = stopped ? "Stopped" : "Failed";
    if (!stopped) $("error").textContent = error.message;
  } finally {
    running = null;
    show();
  }
}

async function* chunks(answer) {
  const reader = answer.body.getReader();
  for (let part; !(part = await reader.read()).done; ) yield part.value;
}

// Sound is played while it is made, where the browser can append to it; else when it is whole.
async function play(answer, seconds) {
  const player = $("spoken");
  const parts = [];
  let first = "";
  const growing = window.MediaSource?.isTypeSupported(SOUND) ? new MediaSource() : null;
  let buffer = null;
  if (growing) {
    setSource(player, growing);
    await once(growing, "sourceopen");
    buffer = growing.addSourceBuffer(SOUND);
    player.play().catch(() => {}); // a browser that wants a click first; the player has a button
  }
  try {
    for await (const part of chunks(answer)) {
      first ||= seconds();
      parts.push(part);
      if (!buffer) continue;
      buffer.appendBuffer(part);
      await once(buffer, "updateend");
    }
  } finally {
    if (growing?.readyState === "open") growing.endOfStream();
  }
  const whole = new Blob(parts, { type: SOUND });
  if (!growing) {
    setSource(player, whole);
    player.play().catch(() => {});
  }
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(whole);
  $("save").hidden = false;
  return `First sound after ${first}, all after ${seconds()}`;
}

const once = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

function setSource(player, source) {
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(source);
}

const speak = (signal, seconds) => {
  const body = { model, input: $("text").value, voice: $("voice").value, response_format: "mp3" };
  const headers = { "Content-Type": "application/json" };
  $("save").hidden = true;
  return ask("v1/audio/speech", { method: "POST", headers, body: JSON.stringify(body), signal }).then((answer) =>
    play(answer, seconds),
  );
};

const convert = async (signal, seconds) => {
  $("save").hidden = true;
  const options = withRecording({ model, voice: $("voice").value, response_format: "mp3" });
  return play(await ask("v1/audio/conversions", { ...options, signal }), seconds);
};

async function transcribe(signal) {
  const answer = await ask("v1/audio/transcriptions", { ...withRecording({ model, stream: "true" }), signal });
  const decoder = new TextDecoder();
  let rest = "";
  $("text").value = "";
  for await (const part of chunks(answer)) {
    const events = (rest + decoder.decode(part, { stream: true })).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const content = JSON.parse(event.slice("data: ".length));
      if (content.type === "transcript.text.delta") $("text").value += content.delta;
      else $("text").value = content.text;
    }
  }
}

async function readVoices(chosen = "default") {
  const { data } = await (await ask("v1/voices")).json();
  $("voice").replaceChildren(...data.map(({ id }) => new Option(id, id, id === "default", id === chosen)));
}

function take(blob) {
  recording = blob;
  setSource($("heard"), blob);
  $("heard").hidden = false;
  show();
}

let recorder = null;

async function record() {
  if (recorder) {
    recorder.stop();
    return;
  }
  $("error").textContent = "";
  try {
    if (!navigator.mediaDevices) throw new Error("browsers record on https:// and on localhost only: choose a file");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => {
      for (const track of stream.getTracks()) track.stop();
      take(new Blob(parts, { type: recorder.mimeType }));
      recorder = null;
      mark(false);
    };
    recorder.start();
    mark(true);
  } catch (error) {
    recorder = null;
    $("error").textContent = `No recording: ${error.message}`;
  }
}

function mark(on) {
  $("record").textContent = on ? "Stop recording" : "Record";
  $("record").setAttribute("aria-pressed", String(on));
}

async function connect() {
  await run("Connecting", async () => {
    const { data } = await (await ask("v1/models")).json();
    model = data[0].id;
    $("model").textContent = document.title = model;
    await readVoices();
    $("key-form").hidden = true;
    return "Ready";
  });
}

$("record").addEventListener("click", record);
$("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]));
$("transcribe").addEventListener("click", () => run("Transcribed", transcribe));
$("convert").addEventListener("click", () => run("Converted", convert));
$("speak").addEventListener("click", () => run("Spoken", speak));
$("stop").addEventListener("click", () => running?.abort());
$("voice").addEventListener("change", show);
$("forget").addEventListener("click", () =>
  run("Deleted", async () => {
    await ask(`v1/voices/${encodeURIComponent($("voice").value)}`, { method: "DELETE" });
    await readVoices();
  }),
);
$("keep").addEventListener("submit", (event) => {
  event.preventDefault();
  run("Kept", async () => {
    const name = $("name").value;
    await ask("v1/voices", withRecording({ name, transcript: $("said").value }));
    await readVoices(name);
    $("name").value = $("said").value = "";
  });
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value);
  $("key").value = "";
  connect();
});
connect();
