// The segments in words: one row each, with a button that plays it. The row that is playing is marked. The list is one
// stop of the Tab key: the arrow keys move between its buttons.

import { candidates, clock, colourOf, element, nameOf, percent, swatch } from "./emotions.js";
import { firstEndingAfter } from "./overview.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

export class SegmentTable {
  /** `onHear` gets a segment's start and end in seconds. */
  constructor({ body, title, onHear }) {
    Object.assign(this, { body, title, onHear, segments: [], rows: [], playing: null });
    body.addEventListener("keydown", (event) => this.move(event));
    body.addEventListener("focusin", ({ target }) => this.enter(target.closest("tr")));
  }

  show(segments) {
    this.segments = segments;
    this.rows = segments.map((segment) => this.row(segment));
    this.playing = this.entered = null;
    this.body.replaceChildren(...this.rows);
    this.body.parentElement.classList.toggle("with-speakers", segments.some(({ speaker }) => speaker));
    this.body.parentElement.classList.toggle("with-text", segments.some(({ text }) => text));
    this.enter(this.rows.find((_, position) => segments[position].emotion) ?? this.rows[0]);
    const spoken = segments.filter((segment) => segment.speech).length;
    this.title.textContent = `Segments: ${spoken} with speech of ${segments.length}`;
  }

  row(segment) {
    const { start_s: start, end_s: end, confidence } = segment;
    const said = nameOf(segment);
    const hear = element("button", { type: "button", tabindex: "-1", "aria-label": `Play ${said}, ${clock(start)} to ${clock(end)}` }, "▶");
    hear.addEventListener("click", () => this.onHear(start, end));
    const fill = element("span");
    Object.assign(fill.style, { width: `${100 * confidence}%`, background: segment.emotion ? colourOf(segment.emotion) : "transparent" });
    const meter = element("span", { class: "meter", "aria-hidden": "true" }, fill);
    // On a phone, in place of the columns of speakers and texts.
    const below = element("span", { class: "words-below" }, [segment.speaker, segment.text].filter(Boolean).join(": "));
    const name = segment.emotion ? [swatch(candidates(segment), segment.unsure), said] : [said];
    return element("tr", { class: segment.speech ? "" : "pause" }, element("td", {}, hear), element("td", {}, clock(start)), element("td", {}, clock(end)), element("td", { class: "speaker" }, segment.speaker ?? ""), element("td", {}, ...name, below), element("td", {}, ...(segment.emotion ? [meter, percent(confidence)] : ["–"])), element("td", { class: "words" }, segment.text ?? ""));
  }

  /** The row that the Tab key reaches. */
  enter(row) {
    if (!row || row === this.entered) return;
    this.entered?.querySelector("button").setAttribute("tabindex", "-1");
    row.querySelector("button").setAttribute("tabindex", "0");
    this.entered = row;
  }

  /** After rows were hidden or shown. */
  refresh() {
    const visible = this.visible();
    if (!visible.includes(this.entered)) this.enter(visible[0]);
  }

  visible() {
    return this.rows.filter((row) => row.getClientRects().length);
  }

  move(event) {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const visible = this.visible();
    const next = visible.indexOf(this.entered) + step;
    visible[Math.min(visible.length - 1, Math.max(0, next))]?.querySelector("button").focus();
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
