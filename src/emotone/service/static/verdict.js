// What a recording was heard as: the emotion, its confidence and probabilities, and the legend of their colours.

import { bars, clock, colourOf, dashOf, element, nameOf, percent, swatch } from "./emotions.js";

const SPACE = "http://www.w3.org/2000/svg";

export function showVerdict(reply, find) {
  const said = reply.emotion ? nameOf({ ...reply, speech: true }) : "nobody speaks";
  find("verdict").replaceChildren(swatch(reply.emotion, reply.unsure), said);
  find("verdict-detail").textContent = detailOf(reply);
  find("bars").replaceChildren(...(reply.emotion ? bars(reply.labels, reply.probabilities, reply.emotion) : []));
  find("notices").hidden = !reply.notices.length;
  find("notices").replaceChildren(...reply.notices.map((notice) => element("li", {}, notice)));
  find("legend").replaceChildren(...reply.labels.map((label, position) => element("li", {}, dash(label, position), label)));
}

function detailOf(reply) {
  const length = reply.duration_s < 60 ? `${reply.duration_s.toFixed(1)} s` : clock(reply.duration_s);
  if (!reply.emotion) return `${length} · no speech was found`;
  if (!reply.unsure) return `${length} · confidence ${percent(reply.confidence)}`;
  // Two numbers that round to the same would say nothing.
  const digits = percent(reply.confidence) === percent(reply.unsure_threshold) ? 1 : 0;
  const [confidence, threshold] = [reply.confidence, reply.unsure_threshold].map((share) => percent(share, digits));
  return `${length} · unsure: confidence ${confidence}, below ${threshold}`;
}

function dash(label, position) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("width", 34);
  svg.setAttribute("height", 10);
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SPACE, "line");
  const attributes = { x1: 0, x2: 28, y1: 5, y2: 5, stroke: colourOf(label), "stroke-width": 4, "stroke-dasharray": dashOf(position) };
  for (const [key, value] of Object.entries(attributes)) line.setAttribute(key, value);
  svg.append(line);
  return svg;
}
