// Probability of each emotion over time, as lines in an SVG of the waveform's width.

import { clock, colourOf, dashOf } from "./emotions.js";

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 170;
const TOP = 6;
const BOTTOM = 150;
const STEPS_S = [0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export class Chart {
  constructor(frame) {
    this.frame = frame;
    new ResizeObserver(() => this.draw()).observe(frame);
  }

  show(timeline, labels, duration) {
    Object.assign(this, { timeline, labels, duration });
    this.draw();
  }

  draw() {
    if (!this.timeline || !this.frame.clientWidth) return;
    const width = this.frame.clientWidth;
    const { timeline, labels, duration } = this;
    const x = (seconds) => (seconds / duration) * width;
    const y = (share) => BOTTOM - share * (BOTTOM - TOP);
    const said = `Probability of ${labels.join(", ")} over ${duration.toFixed(1)} seconds; the table below has the same in words.`;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": said });
    for (const share of [0, 0.5, 1]) {
      svg.append(shape("line", { class: "grid", x1: 0, x2: width, y1: y(share), y2: y(share) }));
      svg.append(shape("text", { x: 2, y: y(share) - 3 }, share === 0 ? "" : `${share * 100} %`));
    }
    const step = STEPS_S.find((one) => x(one) >= 80) ?? duration;
    for (let seconds = 0; x(seconds) <= width - 20; seconds += step) {
      svg.append(shape("text", { x: x(seconds), y: HEIGHT - 4, "text-anchor": seconds ? "middle" : "start" }, clock(seconds)));
    }
    labels.forEach((label, position) => {
      for (const points of runs(timeline, position)) {
        svg.append(
          shape("polyline", {
            points: points.map(([seconds, share]) => `${x(seconds).toFixed(1)},${y(share).toFixed(1)}`).join(" "),
            stroke: colourOf(label),
            "stroke-dasharray": dashOf(position),
          }),
        );
      }
    });
    this.cursor = shape("line", { class: "cursor", x1: 0, x2: 0, y1: TOP, y2: BOTTOM });
    svg.append(this.cursor);
    this.frame.replaceChildren(svg);
  }

  moveTo(seconds) {
    if (!this.cursor) return;
    const at = (seconds / this.duration) * this.frame.clientWidth;
    this.cursor.setAttribute("x1", at);
    this.cursor.setAttribute("x2", at);
  }
}

/** The curve of one label in pieces, through the middles of the windows: it breaks where nobody speaks. */
function runs({ start_s: starts, end_s: ends, probabilities }, position) {
  const found = [];
  let run = [];
  probabilities.forEach((shares, index) => {
    if (!shares) {
      if (run.length) found.push(run);
      run = [];
      return;
    }
    if (!run.length) run.push([starts[index], shares[position]]);
    run.push([(starts[index] + ends[index]) / 2, shares[position]]);
    if (index + 1 === starts.length || !probabilities[index + 1]) run.push([ends[index], shares[position]]);
  });
  if (run.length) found.push(run);
  return found;
}
