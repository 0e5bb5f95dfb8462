// A result as the text of a file: CSV, JSON, Praat's TextGrid and WebVTT, made on the page from the answer it has. They
// hold what the service would write for the same answer, but with the file's own name.

import { tracksOf } from "./summary.js";

const inOrder = (reply) => reply.segments.toSorted((one, other) => one.start_s - other.start_s);
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
// Spreadsheets take a cell that starts like this for a formula.
const cell = (text) => quoted(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const number = (value, digits) => String(Number(value.toFixed(digits)));

const COLUMNS = ["file", "start_s", "end_s", "channel", "emotion", "unsure", "reason", "unfamiliar", "speaker", "text", "baseline", "note"];

function cellOf(value) {
  if (typeof value === "number") return number(value, 6);
  return cell(String(value ?? ""));
}

/** One row per segment; results of one model, each with its file's name. */
export function asCsv(results) {
  const { labels } = results[0].reply;
  const head = [...COLUMNS.map(quoted), ...labels.map(cell)].join(",");
  const rows = results.flatMap(({ name, reply }) =>
    inOrder(reply).map((segment) => {
      const row = { ...segment, file: name };
      return [...COLUMNS.map((column) => cellOf(row[column])), ...labels.map((label) => cellOf(segment.probabilities[label]))].join(",");
    }),
  );
  return `${[head, ...rows].join("\n")}\n`;
}

/** The service's answer, with the file's name. */
export const asJson = ([{ name, reply }]) => `${JSON.stringify({ ...reply, file: name }, null, 2)}\n`;

/** For each channel, or each speaker of turns, a tier of emotions and one of their probabilities. */
export function asTextGrid([{ reply }]) {
  const segments = inOrder(reply);
  const end = Math.max(reply.duration_s, ...segments.map(({ end_s: stop }) => stop));
  const tiers = isNumber(segments[0]?.turn) ? turnTiers(segments, end) : tracksOf(reply).flatMap(channelTiers);
  const lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", `xmax = ${end.toFixed(6)}`, "tiers? <exists>", `size = ${tiers.length}`, "item []:"];
  tiers.forEach(([name, intervals], tier) => {
    lines.push(`    item [${tier + 1}]:`, '        class = "IntervalTier"', `        name = ${quoted(name)}`, "        xmin = 0", `        xmax = ${end.toFixed(6)}`, `        intervals: size = ${intervals.length}`);
    intervals.forEach(([start, stop, text], position) =>
      lines.push(`        intervals [${position + 1}]:`, `            xmin = ${start.toFixed(6)}`, `            xmax = ${stop.toFixed(6)}`, `            text = ${quoted(text)}`),
    );
  });
  return `${lines.join("\n")}\n`;
}

const isNumber = (value) => typeof value === "number";
const figure = (value) => (isNumber(value) ? value.toFixed(3) : "");
const intervals = (segments, text) => segments.map((segment) => [segment.start_s, segment.end_s, text(segment)]);
const probability = ({ emotion, confidence }) => (emotion ? confidence.toFixed(3) : "");
const distance = ({ unfamiliar }) => figure(unfamiliar);
const hasDistance = (segments) => segments.some(({ unfamiliar }) => isNumber(unfamiliar));

function channelTiers({ channel, segments }) {
  const suffix = channel === null ? "" : ` ${channel + 1}`;
  return [
    [`emotion${suffix}`, intervals(segments, ({ emotion }) => emotion ?? "")],
    [`probability${suffix}`, intervals(segments, probability)],
    ...(hasDistance(segments) ? [[`unfamiliar${suffix}`, intervals(segments, distance)]] : []),
  ];
}

/** Turns of one speaker that overlap go to further tiers. */
function turnTiers(segments, end) {
  const bySpeaker = new Map();
  for (const segment of segments) {
    const speaker = segment.speaker ?? "";
    if (!bySpeaker.has(speaker)) bySpeaker.set(speaker, []);
    const lanes = bySpeaker.get(speaker);
    const free = lanes.find((lane) => lane.at(-1).end_s <= segment.start_s);
    if (free) free.push(segment);
    else lanes.push([segment]);
  }
  return [...bySpeaker].flatMap(([speaker, lanes]) =>
    lanes.flatMap((lane, position) => {
      const name = [speaker, position ? `(${position + 1})` : ""].filter(Boolean).join(" ") || "turns";
      const tier = (title, text) => [title, filled(intervals(lane, text), end)];
      return [
        tier(name, ({ text }) => text ?? ""),
        tier(`${name}: emotion`, ({ emotion, reason }) => emotion ?? reason ?? ""),
        tier(`${name}: probability`, probability),
        ...(hasDistance(lane) ? [tier(`${name}: unfamiliar`, distance)] : []),
      ];
    }),
  );
}

/** With empty intervals in the gaps, as Praat wants them; an interval lasts a millisecond at least. */
function filled(given, end) {
  const found = [];
  let at = 0;
  for (const [from, to, text] of given) {
    const start = Math.max(from, at);
    const stop = Math.max(to, start + 0.001, at + 0.001);
    if (start > at) found.push([at, start, ""]);
    found.push([start, stop, text]);
    at = stop;
  }
  return at < end ? [...found, [at, end, ""]] : found;
}

/** One cue per segment with an emotion, and per turn. */
export function asWebVtt([{ reply }]) {
  const cues = inOrder(reply)
    .filter(({ emotion, turn }) => emotion || isNumber(turn))
    .map((segment) => {
      const voice = segment.channel === null ? segment.speaker : `channel ${segment.channel + 1}`;
      const words = escaped(captionOf(segment));
      return `${timestamp(segment.start_s)} --> ${timestamp(segment.end_s)}\n${voice ? `<v ${escaped(voice)}>${words}</v>` : words}`;
    });
  return `${["WEBVTT", ...cues].join("\n\n")}\n`;
}

function captionOf({ emotion, confidence, unsure, reason, turn, text }) {
  let words = emotion ? `${emotion} ${(100 * confidence).toFixed(0)} %` : (reason ?? "");
  if (emotion && unsure) words = `perhaps ${words}${reason && reason !== "low confidence" ? `, ${reason}` : ""}`;
  return isNumber(turn) ? `[${words}] ${text ?? ""}`.trimEnd() : words;
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function timestamp(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  const parts = [Math.floor(milliseconds / 3_600_000), Math.floor(milliseconds / 60_000) % 60, Math.floor(milliseconds / 1000) % 60];
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}.${String(milliseconds % 1000).padStart(3, "0")}`;
}

export const FORMATS = {
  csv: { write: asCsv, suffix: "csv", mediaType: "text/csv" },
  json: { write: asJson, suffix: "json", mediaType: "application/json" },
  textgrid: { write: asTextGrid, suffix: "TextGrid", mediaType: "text/plain" },
  vtt: { write: asWebVtt, suffix: "vtt", mediaType: "text/vtt" },
};
