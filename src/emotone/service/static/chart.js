// Probability of each emotion over time, as lines in an SVG: the part in view, on the waveform's time axis.

import { clock, colourOf, dashOf } from "./emotions.js";

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 178;
const TOP = 14;
const BOTTOM = 158;
const STEPS_S = [0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const LONGEST_STEP_S = 14_400;
// Lines whose points are closer than this run into one another: then means over longer intervals are drawn.
const CLOSEST_PX = 4;
const INTERVAL_PX = 6;
const SAME_TIME_S = 0.01;

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export class Chart {
  /** `note` says when means are drawn; `onSeek` gets the time that was clicked, in seconds. */
  constructor(frame, note, onSeek) {
    Object.assign(this, { frame, note, seconds: 0 });
    frame.addEventListener("click", ({ clientX }) => {
      if (this.view) onSeek(this.view.from + (clientX - frame.getBoundingClientRect().left) / this.view.pixelsPerSecond);
    });
  }

  show(timeline, labels, duration) {
    Object.assign(this, { timeline, labels, duration, seconds: 0 });
    if (this.view) this.draw(this.view);
  }

  draw(view) {
    this.view = view;
    if (!this.timeline) return;
    const { labels, duration } = this;
    const { from, to, width, pixelsPerSecond } = view;
    const x = (seconds) => (seconds - from) * pixelsPerSecond;
    const y = (share) => BOTTOM - share * (BOTTOM - TOP);
    const said = `Probability of ${labels.join(", ")} over ${duration.toFixed(1)} seconds; the table below has the same in words.`;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": said });
    for (const share of [0, 0.5, 1]) svg.append(shape("line", { class: "grid", x1: 0, x2: width, y1: y(share), y2: y(share) }));
    const step = STEPS_S.find((one) => one * pixelsPerSecond >= 80) ?? LONGEST_STEP_S;
    for (let tick = Math.ceil(from / step); x(tick * step) <= width - 24; tick++) {
      const left = x(tick * step);
      const text = step < 1 ? clock(tick * step) : clock(tick * step).replace(/\.0$/, "");
      svg.append(shape("text", { x: left, y: HEIGHT - 4, "text-anchor": left < 24 ? "start" : "middle" }, text));
    }
    const interval = this.intervalOf(pixelsPerSecond);
    this.note.textContent = interval ? `means over ${interval < 60 ? `${interval} s` : `${interval / 60} min`}` : "";
    const drawn = interval ? means(this.timeline, interval, from, to, duration) : part(this.timeline, from, to);
    labels.forEach((label, position) => {
      for (const points of runs(drawn, position)) {
        svg.append(
          shape("polyline", {
            points: points.map(([seconds, share]) => `${x(seconds).toFixed(1)},${y(share).toFixed(1)}`).join(" "),
            stroke: colourOf(label),
            "stroke-dasharray": dashOf(position),
          }),
        );
      }
    });
    for (const share of [0.5, 1]) svg.append(shape("text", { class: "share", x: 2, y: y(share) - 3 }, `${share * 100} %`));
    this.cursor = shape("line", { class: "cursor", y1: TOP, y2: BOTTOM });
    svg.append(this.cursor);
    this.moveTo(this.seconds);
    this.frame.replaceChildren(svg);
  }

  /** Length in seconds of the intervals whose means are drawn; 0 where every window has room. */
  intervalOf(pixelsPerSecond) {
    const { start_s: starts } = this.timeline;
    if (starts.length < 3) return 0;
    const hop = (starts[starts.length - 1] - starts[0]) / (starts.length - 1);
    if (hop * pixelsPerSecond >= CLOSEST_PX) return 0;
    return STEPS_S.find((step) => step >= 2 * hop && step * pixelsPerSecond >= INTERVAL_PX) ?? LONGEST_STEP_S;
  }

  moveTo(seconds) {
    this.seconds = seconds;
    if (!this.cursor) return;
    const at = (seconds - this.view.from) * this.view.pixelsPerSecond;
    this.cursor.setAttribute("x1", at);
    this.cursor.setAttribute("x2", at);
  }
}

/** The windows in view, and one more on each side so that lines go on to the edge. */
function part({ start_s: starts, end_s: ends, probabilities }, from, to) {
  let first = ends.findIndex((end) => end > from);
  let last = starts.findIndex((start) => start > to);
  first = Math.max(0, (first < 0 ? starts.length : first) - 1);
  last = last < 0 ? starts.length : last + 1;
  return { start_s: starts.slice(first, last), end_s: ends.slice(first, last), probabilities: probabilities.slice(first, last) };
}

/** Mean probabilities over intervals of equal length, of the windows whose middle is inside; null without speech. */
function means(timeline, length, from, to, duration) {
  const first = Math.max(0, Math.floor(from / length) - 1);
  // The rest of a recording is counted to the last whole interval: its few windows would make a spike.
  const last = Math.max(1, Math.floor(duration / length)) - 1 - first;
  const count = Math.ceil(to / length) + 1 - first;
  const sums = Array.from({ length: count }, () => null);
  const counts = new Array(count).fill(0);
  const { start_s: starts, end_s: ends, probabilities } = part(timeline, first * length, (first + count) * length);
  probabilities.forEach((shares, index) => {
    const interval = Math.min(last, Math.floor((starts[index] + ends[index]) / 2 / length) - first);
    if (!shares || interval < 0 || interval >= count) return;
    sums[interval] = shares.map((share, position) => share + (sums[interval]?.[position] ?? 0));
    counts[interval] += 1;
  });
  return {
    start_s: sums.map((_, index) => (first + index) * length),
    end_s: sums.map((_, index) => (first + index + 1) * length),
    probabilities: sums.map((sum, index) => sum && sum.map((total) => total / counts[index])),
  };
}

/** The curve of one label in pieces, through the middles of the windows: it breaks where there is no speech or no turn. */
function runs({ start_s: starts, end_s: ends, probabilities }, position) {
  const found = [];
  let run = [];
  const isLast = (index) => !probabilities[index + 1] || starts[index + 1] - ends[index] > SAME_TIME_S;
  probabilities.forEach((shares, index) => {
    if (!shares) return;
    if (!run.length) run.push([starts[index], shares[position]]);
    run.push([(starts[index] + ends[index]) / 2, shares[position]]);
    if (!isLast(index)) return;
    run.push([ends[index], shares[position]]);
    found.push(run);
    run = [];
  });
  return found;
}
