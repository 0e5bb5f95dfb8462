// The waveform with its coloured segments, and the spectrogram below it.

import WaveSurfer from "./vendor/wavesurfer/wavesurfer.js";
import Regions from "./vendor/wavesurfer/regions.js";
import Spectrogram from "./vendor/wavesurfer/spectrogram.js";
import { colourOf, element } from "./emotions.js";

// A browser decodes a recording whole: beyond this it would take hundreds of megabytes.
const LONGEST_S = 20 * 60;
const NARROWEST_LABEL_PX = 52;
const SPEECH_RATE = 16_000;

const nonce = () => document.querySelector('meta[name="csp-nonce"]').content;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function apology(frame, text) {
  frame.replaceChildren(element("p", { class: "no-picture" }, text));
}

export class Picture {
  constructor({ waveform, spectrogram, onTime, onPlaying }) {
    Object.assign(this, { waveform, spectrogram, onTime, onPlaying });
    this.stopAt = null;
    this.audio = null;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.surfer?.setOptions(this.colours()));
  }

  colours() {
    return { waveColor: style("--wave"), progressColor: style("--wave-played"), cursorColor: style("--ink") };
  }

  clear() {
    this.surfer?.destroy();
    this.surfer = this.regions = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.stopAt = null;
    this.waveform.replaceChildren();
    this.spectrogram.replaceChildren();
  }

  async show(recording, duration, segments) {
    this.clear();
    this.audio = new Audio();
    this.audio.addEventListener("timeupdate", () => this.tick());
    this.audio.addEventListener("play", () => this.onPlaying(true));
    this.audio.addEventListener("pause", () => this.onPlaying(false));
    if (duration > LONGEST_S) {
      this.url = URL.createObjectURL(recording);
      this.audio.src = this.url;
      apology(this.waveform, "The recording is too long to draw; you can still hear it.");
      apology(this.spectrogram, "Too long to draw.");
      return;
    }
    this.regions = Regions.create();
    this.surfer = WaveSurfer.create({
      container: this.waveform,
      media: this.audio,
      height: 112,
      normalize: true,
      sampleRate: SPEECH_RATE,
      cspNonce: nonce(),
      hideScrollbar: true,
      plugins: [
        this.regions,
        Spectrogram.create({ container: this.spectrogram, height: 140, frequencyMax: SPEECH_RATE / 2, fftSamples: 512, scale: "mel", autoGain: true, rangeDB: 70, colorMap: "roseus" }),
      ],
      ...this.colours(),
    });
    this.surfer.on("interaction", () => (this.stopAt = null));
    this.surfer.on("timeupdate", () => this.tick());
    this.regions.on("region-clicked", (region, event) => {
      event.stopPropagation();
      this.hear(region.start, region.end);
    });
    try {
      await this.surfer.loadBlob(recording);
      this.mark(segments);
    } catch {
      this.surfer.destroy();
      this.surfer = null;
      apology(this.waveform, "This browser cannot play this format, so there is no waveform; the result below is whole.");
      apology(this.spectrogram, "No spectrogram without the waveform.");
    }
  }

  mark(segments) {
    if (!this.regions || !this.surfer) return;
    this.regions.clearRegions();
    const pixelsPerSecond = this.waveform.clientWidth / this.surfer.getDuration();
    for (const segment of segments) {
      if (!segment.emotion) continue;
      const narrow = (segment.end_s - segment.start_s) * pixelsPerSecond < NARROWEST_LABEL_PX;
      const colour = colourOf(segment.emotion);
      const label = element("span", {}, segment.unsure ? `${segment.emotion}?` : segment.emotion);
      Object.assign(label.style, { font: "600 11px system-ui, sans-serif", padding: "0 4px", margin: "2px", display: "inline-block", borderRadius: "4px", color: style("--ink"), background: style("--card"), whiteSpace: "nowrap" });
      const region = this.regions.addRegion({ start: segment.start_s, end: segment.end_s, color: `${colour}55`, drag: false, resize: false, content: narrow ? undefined : label });
      Object.assign(region.element.style, { borderTop: `4px ${segment.unsure ? "dashed" : "solid"} ${colour}`, cursor: "pointer", overflow: "hidden" });
      if (segment.unsure) {
        region.element.style.background = `repeating-linear-gradient(135deg, ${colour}55 0 7px, ${colour}18 7px 14px)`;
      }
    }
  }

  tick() {
    if (this.stopAt !== null && this.audio.currentTime >= this.stopAt) {
      this.audio.pause();
      this.stopAt = null;
    }
    this.onTime(this.audio.currentTime);
  }

  hear(start, end) {
    if (!this.audio) return;
    this.audio.currentTime = start;
    this.stopAt = end;
    this.audio.play().catch(() => this.onPlaying(false));
  }

  toggle() {
    if (!this.audio) return;
    this.stopAt = null;
    if (this.audio.paused) this.audio.play().catch(() => this.onPlaying(false));
    else this.audio.pause();
  }
}
