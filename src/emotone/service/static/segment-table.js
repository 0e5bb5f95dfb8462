// The segments in words: a row each, with a button that plays it. The row that is playing is marked.

import { clock, colourOf, element, nameOf, percent, swatch } from "./emotions.js";
import { firstEndingAfter } from "./ribbon.js";

export class SegmentTable {
  /** `onHear` gets a segment's start and end in seconds. */
  constructor({ body, title, onHear }) {
    Object.assign(this, { body, title, onHear, segments: [], rows: [], playing: null });
  }

  show(segments) {
    this.segments = segments;
    this.rows = segments.map((segment) => this.row(segment));
    this.playing = null;
    this.body.replaceChildren(...this.rows);
    const spoken = segments.filter((segment) => segment.speech).length;
    this.title.textContent = `Segments: ${spoken} with speech of ${segments.length}`;
  }

  row(segment) {
    const { start_s: start, end_s: end, confidence } = segment;
    const said = nameOf(segment);
    const hear = element("button", { type: "button", "aria-label": `Hear ${said}, ${clock(start)} to ${clock(end)}` }, "▶");
    hear.addEventListener("click", () => this.onHear(start, end));
    const fill = element("span");
    Object.assign(fill.style, { width: `${100 * confidence}%`, background: segment.emotion ? colourOf(segment.emotion) : "transparent" });
    const meter = element("span", { class: "meter", "aria-hidden": "true" }, fill);
    const name = segment.emotion ? [swatch(segment.emotion, segment.unsure), said] : [said];
    return element("tr", { class: segment.speech ? "" : "pause" }, element("td", {}, hear), element("td", {}, clock(start)), element("td", {}, clock(end)), element("td", {}, ...name), element("td", {}, ...(segment.emotion ? [meter, percent(confidence)] : ["–"])));
  }

  moveTo(seconds) {
    const segment = firstEndingAfter(this.segments, seconds);
    const row = seconds > 0 && this.segments[segment]?.start_s <= seconds ? this.rows[segment] : null;
    if (row === this.playing) return;
    this.playing?.classList.remove("playing");
    row?.classList.add("playing");
    this.playing = row;
  }
}
