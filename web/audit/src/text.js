// How values and strings of strangers are shown. Everything goes to the page as text; nothing here makes markup.

const SAMPLE_RATE = 16000;
// Controls, and marks that change the direction or the place of other text: shown as escapes.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function visible(value) {
  return String(value ?? "").replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const THIN = "\u202f";

export const count = (n) => whole.format(n);

export const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

export function seconds(s, sign = false) {
  const mark = sign ? (s > 0 ? "+" : s < 0 ? "\u2212" : "") : "";
  const size = Math.abs(s);
  if (size < 59.95) return `${mark}${size.toFixed(1)}${THIN}s`;
  if (size < 3599.5) {
    const rest = Math.round(size);
    return `${mark}${Math.floor(rest / 60)}${THIN}min ${String(rest % 60).padStart(2, "0")}${THIN}s`;
  }
  const hours = size / 3600;
  return `${mark}${hours >= 1000 ? count(hours) : hours.toFixed(hours >= 100 ? 1 : 2)}${THIN}h`;
}

export const duration = (samples, sign = false) => seconds(samples / SAMPLE_RATE, sign);

// Writes the durations of a column in one unit: hours, where the longest has one.
export function inColumn(longest) {
  if (longest < 3600 * SAMPLE_RATE) return duration;
  return (samples, sign = false) => {
    const hours = Math.abs(samples) / SAMPLE_RATE / 3600;
    const mark = sign && samples > 0 ? "+" : samples < 0 ? "\u2212" : "";
    if (hours > 0 && hours < 0.005) return `${mark}<0.01${THIN}h`;
    return `${mark}${hours >= 1000 ? count(hours) : hours.toFixed(2)}${THIN}h`;
  };
}

export function clock(s) {
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor(s / 60) % 60;
  const rest = (s % 60).toFixed(2).padStart(5, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function percent(part, total) {
  if (!total) return "\u2013";
  const share = (100 * part) / total;
  return `${share > 0 && share < 0.05 ? "<0.1" : share.toFixed(1).replace("-", "\u2212")}${THIN}%`;
}

export function number(value, digits = 3) {
  if (value === null || value === undefined) return "\u2013";
  if (Number.isInteger(value)) return count(value).replace("-", "\u2212");
  const size = Math.abs(value);
  const shown = size >= 1000 ? count(value) : size && size < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(digits)));
  return shown.replace("-", "\u2212");
}

// A cell of CSV: spreadsheets take = + - @ at the start for a formula, in some languages wide ones too.
export function csvCell(value) {
  const text = visible(value);
  const safe = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

// A string in SQL, and a word of a shell's command line.
export const sqlString = (value) => `'${String(value).replaceAll("'", "''")}'`;
export const shellWord = (value) =>
  /^[\w./:=@%+,-]+$/.test(value) ? value : `'${String(value).replaceAll("'", "'\\''")}'`;
