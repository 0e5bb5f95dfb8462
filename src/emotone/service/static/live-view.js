// The view while recording: the sound so far, the present emotion and its probabilities.

import { bars, candidates, clock, colourOf, nameOf, swatch } from "./emotions.js";

const SHOWN_S = 15;
const SLICES_PER_S = 20;

export class LiveView {
  /** `threshold()` gives the share below which a result is unsure, or null for the service's own. */
  constructor(section, threshold) {
    Object.assign(this, { section, threshold });
    this.canvas = section.querySelector("canvas");
    this.find = (id) => section.querySelector(`#${id}`);
  }

  begin() {
    this.slices = [];
    this.seconds = 0;
    this.said = "";
    this.last = this.frame = null;
    this.find("live-emotion").textContent = "listening …";
    this.find("live-bars").replaceChildren();
    this.find("live-said").textContent = "Recording";
    this.section.hidden = false;
  }

  end() {
    this.section.hidden = true;
  }

  receive(message) {
    if (message.type === "ready") this.labels = message.labels;
    if (message.type !== "current" && message.type !== "segment") return;
    // A result is of sound that has passed: that is coloured, not what comes next.
    for (const slice of this.slices ?? []) {
      if (slice.at >= message.start_s && slice.at < message.end_s) slice.emotion = message.emotion;
    }
    if (message.type === "segment") return;
    this.last = message;
    this.refresh();
  }

  /** Show the last result, with the threshold as it is now. */
  refresh() {
    if (!this.last) return;
    const threshold = this.threshold();
    const now = threshold === null ? this.last : { ...this.last, unsure: this.last.confidence < threshold };
    const said = nameOf(now);
    this.find("live-emotion").replaceChildren(...(now.emotion ? [swatch(candidates(now), now.unsure)] : []), said);
    this.find("live-bars").replaceChildren(...bars(this.labels, now.probabilities, now.emotion));
    // A screen reader announces changes, not every window.
    if (said !== this.said) this.find("live-said").textContent = this.said = said;
  }

  draw(samples, sampleRate) {
    if (!this.slices) return;
    const size = Math.round(sampleRate / SLICES_PER_S);
    for (let start = 0; start < samples.length; start += size) {
      let loudest = 0;
      for (const sample of samples.subarray(start, start + size)) loudest = Math.max(loudest, Math.abs(sample));
      this.slices.push({ level: loudest / 32768, at: this.seconds + start / sampleRate, emotion: null });
    }
    this.slices = this.slices.slice(-SHOWN_S * SLICES_PER_S);
    this.seconds += samples.length / sampleRate;
    // On a busy machine several pieces come between two frames.
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = null;
    this.find("live-time").textContent = clock(this.seconds);
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    const step = width / (SHOWN_S * SLICES_PER_S);
    const idle = getComputedStyle(document.documentElement).getPropertyValue("--wave").trim();
    this.slices.forEach(({ level, emotion }, position) => {
      const tall = Math.max(2, Math.sqrt(level) * height);
      context.fillStyle = emotion ? colourOf(emotion) : idle;
      context.fillRect(width - (this.slices.length - position) * step, (height - tall) / 2, Math.max(1, step - 1), tall);
    });
  }
}
