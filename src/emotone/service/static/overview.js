// The segments where there is no waveform to lay them on: columns of one or a few pixels, each divided by emotion.

import { clock, colourOf, element } from "./emotions.js";

// Columns of one pixel where a pixel is a second or less; wider ones where single pixels would be noise.
const columnWidth = (pixelsPerSecond) => (pixelsPerSecond >= 1 ? 1 : 3);

export class Overview {
  /** `onSeek` gets the moment that was clicked, in seconds. */
  constructor(frame, onSeek) {
    Object.assign(this, { frame, onSeek, segments: null });
  }

  show(segments, labels, duration) {
    Object.assign(this, { segments, labels, seconds: 0 });
    const said = `Emotions over ${clock(duration)}; the table below has the same in words.`;
    this.canvas = element("canvas", { class: "stick overview", role: "img", "aria-label": said });
    this.canvas.addEventListener("click", ({ offsetX }) => this.onSeek(this.view.from + offsetX / this.view.pixelsPerSecond));
    this.frame.replaceChildren(this.canvas);
    if (this.view) this.draw(this.view);
  }

  clear() {
    this.segments = null;
  }

  draw(view) {
    this.view = view;
    if (!this.segments) return;
    const scale = devicePixelRatio || 1;
    const height = this.canvas.clientHeight;
    this.canvas.width = view.width * scale;
    this.canvas.height = height * scale;
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    const step = columnWidth(view.pixelsPerSecond);
    columns(this.segments, this.labels, view, step).forEach((parts, position) => {
      let top = height;
      for (const [emotion, sure, share] of parts) {
        context.fillStyle = colourOf(emotion);
        context.globalAlpha = sure ? 1 : 0.4;
        top -= share * height;
        context.fillRect(position * step, top, step, share * height);
      }
    });
    context.globalAlpha = 1;
    context.fillStyle = getComputedStyle(this.frame).color;
    context.fillRect((this.seconds - view.from) * view.pixelsPerSecond - 0.75, 0, 1.5, height);
  }

  moveTo(seconds) {
    this.seconds = seconds;
    if (this.view) this.draw(this.view);
  }
}

/** For each column of the view: emotion, whether it is sure, and its share of the time, the sure part first. */
function columns(segments, labels, { from, width, pixelsPerSecond }, step) {
  const length = step / pixelsPerSecond;
  const found = [];
  let next = firstEndingAfter(segments, from);
  for (let position = 0; position * step < width; position++) {
    const start = from + position * length;
    const end = start + length;
    const times = new Map();
    while (next < segments.length && segments[next].end_s <= start) next += 1;
    for (let index = next; index < segments.length && segments[index].start_s < end; index++) {
      const { emotion, unsure, start_s: begun, end_s: ended } = segments[index];
      if (!emotion) continue;
      const key = `${unsure ? 1 : 0} ${emotion}`;
      times.set(key, (times.get(key) ?? 0) + Math.min(ended, end) - Math.max(begun, start));
    }
    const parts = labels.flatMap((emotion) => [0, 1].map((unsure) => [emotion, !unsure, (times.get(`${unsure} ${emotion}`) ?? 0) / length]));
    found.push(parts.filter(([, , share]) => share > 0));
  }
  return found;
}

/** Position of the first segment that ends after a moment; segments are in order. */
export function firstEndingAfter(segments, seconds) {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].end_s > seconds) high = middle;
    else low = middle + 1;
  }
  return low;
}
