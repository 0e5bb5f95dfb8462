// A result as the text of a file: CSV, JSON, Praat's TextGrid and WebVTT, made on the page from the answer it has. They
// hold what the service would write for the same answer, but with the file's own name.

const inOrder = (reply) => reply.tracks.flatMap(({ segments }) => segments).sort((one, other) => one.start_s - other.start_s);
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
// Spreadsheets take a cell that starts like this for a formula.
const cell = (text) => quoted(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const number = (value, digits) => String(Number(value.toFixed(digits)));

/** One row per segment; results of one model, each with its file's name. */
export function asCsv(results) {
  const { labels } = results[0].reply;
  const head = ["file", "start_s", "end_s", "channel", "emotion", "unsure", ...labels].map(quoted).join(",");
  const rows = results.flatMap(({ name, reply }) =>
    inOrder(reply).map(({ start_s: start, end_s: end, channel, emotion, unsure, probabilities }) =>
      [cell(name), number(start, 6), number(end, 6), channel ?? '""', cell(emotion ?? ""), quoted(String(unsure)), ...labels.map((label) => (label in probabilities ? number(probabilities[label], 6) : '""'))].join(","),
    ),
  );
  return `${[head, ...rows].join("\n")}\n`;
}

/** The service's answer, with the file's name. */
export const asJson = ([{ name, reply }]) => `${JSON.stringify({ file: name, ...reply }, null, 2)}\n`;

/** For each channel a tier of emotions and one of their probabilities. */
export function asTextGrid([{ reply }]) {
  const end = reply.duration_s.toFixed(6);
  const tiers = reply.tracks.flatMap(({ channel, segments }) => {
    const suffix = channel === null ? "" : ` ${channel + 1}`;
    return [
      { name: `emotion${suffix}`, segments, text: ({ emotion }) => (emotion ?? "").replaceAll('"', '""') },
      { name: `probability${suffix}`, segments, text: ({ emotion, confidence }) => (emotion ? confidence.toFixed(3) : "") },
    ];
  });
  const lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", `xmax = ${end}`, "tiers? <exists>", `size = ${tiers.length}`, "item []:"];
  tiers.forEach(({ name, segments, text }, tier) => {
    lines.push(`    item [${tier + 1}]:`, '        class = "IntervalTier"', `        name = "${name}"`, "        xmin = 0", `        xmax = ${end}`, `        intervals: size = ${segments.length}`);
    segments.forEach((segment, position) =>
      lines.push(`        intervals [${position + 1}]:`, `            xmin = ${segment.start_s.toFixed(6)}`, `            xmax = ${segment.end_s.toFixed(6)}`, `            text = "${text(segment)}"`),
    );
  });
  return `${lines.join("\n")}\n`;
}

/** One cue per segment with an emotion. */
export function asWebVtt([{ reply }]) {
  const cues = inOrder(reply)
    .filter(({ emotion }) => emotion)
    .map(({ start_s: start, end_s: end, emotion, confidence, unsure, channel }) => {
      const words = `${unsure ? "perhaps " : ""}${escaped(emotion)} ${(100 * confidence).toFixed(0)} %`;
      return `${timestamp(start)} --> ${timestamp(end)}\n${channel === null ? words : `<v channel ${channel + 1}>${words}</v>`}`;
    });
  return `${["WEBVTT", ...cues].join("\n\n")}\n`;
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
