// How much of a recording is in view: all views over time share one frame, grow wider than it and scroll together.

import { clock } from "./emotions.js";

const STEP = 2;
const NARROWEST_VIEW_S = 2;
// Playback moves by less between two ticks: further than that is a jump to another position.
const LEAP_S = 1.5;

export class Zoom {
  /** `wide` grows inside `frame`; `note` says how much is in view; `onChange` gets the view whenever it changes. */
  constructor({ frame, wide, inward, outward, note, onChange }) {
    Object.assign(this, { frame, wide, inward, outward, note, onChange });
    this.duration = 0;
    this.position = 0;
    this.factor = this.most = 1;
    inward.addEventListener("click", () => this.to(this.factor * STEP));
    outward.addEventListener("click", () => this.to(this.factor / STEP));
    frame.addEventListener("scroll", () => this.changed());
    frame.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    new ResizeObserver(() => this.changed()).observe(frame);
  }

  /** A new recording, in view as a whole. `widest` is how many pixels it can be drawn in. */
  begin(duration, widest) {
    this.duration = duration;
    this.position = 0;
    const drawn = widest / Math.max(1, this.frame.clientWidth);
    this.most = Math.max(1, Math.min(duration / NARROWEST_VIEW_S, drawn));
    this.factor = 1;
    this.frame.scrollLeft = 0;
    this.to(1);
  }

  view() {
    const width = this.frame.clientWidth;
    const length = this.duration / this.factor;
    const from = (this.frame.scrollLeft / (width * this.factor)) * this.duration || 0;
    return { from, to: from + length, width, pixelsPerSecond: width / length };
  }

  /** Zoom around a time, which stays where it is on the screen: the playhead if it is in view, else the middle. */
  to(factor, around) {
    const { from, to, width, pixelsPerSecond } = this.view();
    const playhead = this.position >= from && this.position <= to;
    const moment = around ?? (playhead ? this.position : (from + to) / 2);
    const left = (moment - from) * pixelsPerSecond;
    this.factor = Math.min(this.most, Math.max(1, factor));
    this.wide.style.width = `${100 * this.factor}%`;
    this.frame.scrollLeft = (moment / this.duration) * width * this.factor - left;
    this.changed();
  }

  /** Scroll on when the playhead leaves the view, but not where the reader has scrolled away from it. */
  follow(seconds) {
    const { from, to, pixelsPerSecond } = this.view();
    const [was, is] = [this.position, seconds].map((moment) => moment >= from && moment <= to);
    const leapt = Math.abs(seconds - this.position) > LEAP_S;
    this.position = seconds;
    if (!is && (was || leapt)) this.frame.scrollLeft = (seconds - (to - from) / 10) * pixelsPerSecond;
  }

  /** The wheel zooms with Ctrl or Cmd held, as it does elsewhere; alone it scrolls the page. */
  turn(event) {
    if (!(event.ctrlKey || event.metaKey) || this.most === 1) return;
    event.preventDefault();
    const { from, pixelsPerSecond } = this.view();
    const left = event.clientX - this.frame.getBoundingClientRect().left;
    this.to(this.factor * 2 ** (-event.deltaY / 200), from + left / pixelsPerSecond);
  }

  changed() {
    if (!this.duration || this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const view = this.view();
      if (!view.width) return;
      this.frame.style.setProperty("--view", `${view.width}px`);
      this.inward.disabled = this.factor >= this.most;
      this.outward.disabled = this.factor <= 1;
      this.note.textContent = this.factor > 1 ? `${clock(view.to - view.from)} in view` : "";
      this.onChange(view);
    });
  }
}
