// The headline of a recording or of one of its channels: the emotion of a short one, the shares of a long one.

import { barOf, bars, button, candidates, clock, colourOf, dashOf, element, lengthOf, nameOf, percent, stripes, swatch } from "./emotions.js";
import { isLong, speakingTime, spokenOf, strongestMoments } from "./summary.js";

// The service's reasons, in words that need no statistics.
const REASONS = { "unfamiliar speech": "the voice or the recording is unlike those the model learnt from", "close to the runner-up": "close to the second", "no speech detected": "no clear speech was found" };

/** What to call a track, in a few words, with what explains it. `threshold` is the one it was made with. */
export function headlineOf(track, labels, threshold) {
  if (!spokenOf(track).length && !track.emotion) return { text: "no speech found", names: [], unsure: false, detail: "" };
  return isLong(track) ? longHeadline(track, labels) : shortHeadline(track, threshold);
}

function shortHeadline(track, threshold) {
  const names = candidates(track);
  const text = nameOf({ ...track, speech: true });
  return { text, names, unsure: track.unsure, detail: shortDetail(track, names, threshold) };
}

function shortDetail({ confidence, unsure, probabilities, reason }, names, threshold) {
  if (names.length === 2) return `too close to call: ${names.map((name) => `${name} ${percent(probabilities[name])}`).join(", ")}`;
  if (!unsure) return `confidence ${percent(confidence)}`;
  if (confidence >= threshold) return `unsure: ${reason ? `${REASONS[reason] ?? reason}, ` : ""}confidence ${percent(confidence)}`;
  // Two numbers that round to the same would say nothing.
  const digits = percent(confidence) === percent(threshold) ? 1 : 0;
  return `unsure: confidence ${percent(confidence, digits)}, below the limit of ${percent(threshold, digits)}`;
}

function longHeadline(track, labels) {
  const { seconds, emotions } = speakingTime(track, labels);
  const [first, second] = emotions;
  const unsure = first.sure < first.seconds / 2;
  const names = first.share >= 0.5 ? [first.emotion] : [first.emotion, second.emotion];
  const said = names.length === 1 ? `mostly ${first.emotion}` : `${first.emotion} and ${second.emotion}`;
  const doubtful = spokenOf(track).filter((segment) => segment.unsure).length;
  const count = spokenOf(track).length;
  const detail = `${lengthOf(seconds)} of speech in ${count} segments${doubtful ? `, ${doubtful} of them unsure` : ""}`;
  return { text: unsure ? `perhaps ${said}` : said, names, unsure, detail };
}

/** The right-hand side of the headline: probabilities of a short track, shares of speaking time of a long one. */
export function chartOf(track, labels) {
  if (!track.emotion) return { title: "", rows: [] };
  if (!isLong(track)) return { title: "Probability", rows: bars(labels, track.probabilities, track.emotion) };
  const { emotions } = speakingTime(track, labels);
  const rows = emotions.map(({ emotion, seconds, sure, share }, position) => {
    const [solid, striped] = [element("span", { class: "fill part" }), element("span", { class: "fill part" })];
    const sureShare = seconds ? (share * sure) / seconds : 0;
    Object.assign(solid.style, { width: `${100 * sureShare}%`, background: colourOf(emotion) });
    Object.assign(striped.style, { width: `${100 * (share - sureShare)}%`, background: stripes(colourOf(emotion)) });
    return barOf(emotion, [solid, striped], percent(share), position === 0);
  });
  return { title: "Share of speaking time", rows };
}

/** Buttons for the strongest moments of a long track; none for a short one. */
export function momentsOf(track, onHear) {
  if (!isLong(track)) return [];
  const moments = strongestMoments(track).map(({ start_s: start, end_s: end, emotion, confidence }) =>
    button("", () => onHear(start, end), { class: "moment", "aria-label": `Play ${emotion}, ${percent(confidence)}, at ${clock(start)}` }),
  );
  strongestMoments(track).forEach(({ start_s: start, emotion, confidence }, position) =>
    moments[position].append(element("span", { "aria-hidden": "true" }, "▶ "), clock(start), " ", swatch(emotion), `${emotion} ${percent(confidence)}`),
  );
  return moments.length ? moments : [element("span", { class: "quiet" }, "None: the model is unsure of every segment.")];
}

/** What the colours, dashes and stripes mean. */
export function legendOf(labels) {
  const entries = labels.map((label, position) => element("li", {}, lineOf(label, position), label));
  const sample = element("span", { class: "stripes", "aria-hidden": "true" });
  sample.style.background = stripes("#7f7f7f");
  return [...entries, element("li", {}, sample, "striped or “?”: unsure")];
}

function lineOf(label, position) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ width: 34, height: 10, "aria-hidden": "true" })) svg.setAttribute(key, value);
  const line = document.createElementNS(space, "line");
  const attributes = { x1: 0, x2: 28, y1: 5, y2: 5, stroke: colourOf(label), "stroke-width": 4 };
  for (const [key, value] of Object.entries(attributes)) line.setAttribute(key, value);
  line.setAttribute("stroke-dasharray", dashOf(position));
  svg.append(line);
  return svg;
}
