// The waveform with its coloured segments, and the spectrogram below it; where neither can be had, the segments alone.

import WaveSurfer from "./vendor/wavesurfer/wavesurfer.js";
import Regions from "./vendor/wavesurfer/regions.js";
import Spectrogram from "./vendor/wavesurfer/spectrogram.js";
import { colourOf, element } from "./emotions.js";
import { Ribbon } from "./ribbon.js";

// A browser decodes a recording whole: beyond this it would take hundreds of megabytes.
const LONGEST_S = 20 * 60;
// A canvas has 30,000 pixels at most, two for each of the page's on a fine screen.
const WIDEST_PX = 14_000;
const NARROWEST_LABEL_PX = 52;
const SPEECH_RATE = 16_000;

const nonce = () => document.querySelector('meta[name="csp-nonce"]').content;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** One channel, or the mean of all: what the model heard. */
function channelOf(sound, channel) {
  if (channel !== null && channel < sound.numberOfChannels) return sound.getChannelData(channel);
  const mixed = new Float32Array(sound.length);
  for (let one = 0; one < sound.numberOfChannels; one++) {
    sound.getChannelData(one).forEach((value, position) => (mixed[position] += value / sound.numberOfChannels));
  }
  return mixed;
}

export class Picture {
  /** `title` and `note` say what is drawn instead of a waveform; `spectrogramPart` goes where there is no spectrogram. */
  constructor({ waveform, title, note, spectrogram, spectrogramPart, onTime, onPlaying }) {
    Object.assign(this, { waveform, title, note, spectrogram, spectrogramPart, onTime, onPlaying });
    this.stopAt = null;
    this.audio = null;
    this.ribbon = new Ribbon(waveform, (seconds) => this.goTo(seconds));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.surfer?.setOptions(this.colours()));
  }

  colours() {
    return { waveColor: style("--wave"), progressColor: style("--wave-played"), cursorColor: style("--ink") };
  }

  clear() {
    this.sound = null;
    this.surfer?.destroy();
    this.surfer = this.regions = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.stopAt = null;
    this.audio?.pause();
    this.ribbon.clear();
    this.waveform.replaceChildren();
    this.spectrogram.replaceChildren();
    this.spectrogramPart.hidden = false;
    this.title.textContent = "Waveform";
    this.note.textContent = "";
  }

  /** How many pixels a recording can be drawn in. */
  static widest(duration) {
    return duration > LONGEST_S ? Infinity : WIDEST_PX;
  }

  /** Draw a recording: all its channels mixed, or the one of the track. */
  async show(recording, { duration_s: duration, labels }, track) {
    this.clear();
    Object.assign(this, { track, labels, duration });
    this.audio = new Audio();
    this.audio.addEventListener("timeupdate", () => this.tick());
    this.audio.addEventListener("play", () => this.onPlaying(true));
    this.audio.addEventListener("pause", () => this.onPlaying(false));
    if (duration > LONGEST_S) {
      this.url = URL.createObjectURL(recording);
      this.audio.src = this.url;
      this.showSegments("too long for a waveform");
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
    const surfer = this.surfer;
    try {
      this.url = URL.createObjectURL(recording);
      const decoder = new OfflineAudioContext(1, 1, SPEECH_RATE);
      const sound = await decoder.decodeAudioData(await recording.arrayBuffer());
      // Meanwhile another recording may have come.
      if (this.surfer !== surfer) return;
      this.sound = sound;
      await this.draw();
    } catch {
      if (this.surfer !== surfer) return;
      this.surfer.destroy();
      this.surfer = null;
      this.showSegments("this browser cannot play the format, so there is no waveform");
    }
  }

  showSegments(why) {
    this.title.textContent = "How much of each emotion";
    this.note.textContent = why;
    this.spectrogramPart.hidden = true;
    this.ribbon.show(this.track.segments, this.labels, this.duration);
  }

  /** Another stretch is in view, or the same at another width. */
  look(view) {
    this.ribbon.draw(view);
    // Names fit into segments that have become wide enough.
    if (this.sound && view.pixelsPerSecond !== this.pixelsPerSecond) this.mark(this.track.segments);
    this.pixelsPerSecond = view.pixelsPerSecond;
  }

  /** Another channel of the same recording. */
  async turnTo(track) {
    this.track = track;
    if (this.ribbon.segments) this.ribbon.show(track.segments, this.labels, this.duration);
    if (this.sound) await this.draw();
  }

  async draw() {
    const at = this.audio.currentTime;
    await this.surfer.load(this.url, [channelOf(this.sound, this.track.channel)], this.sound.duration);
    if (at) this.audio.currentTime = at;
    this.mark(this.track.segments);
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
    this.ribbon.moveTo(this.audio.currentTime);
    this.onTime(this.audio.currentTime);
  }

  goTo(seconds) {
    if (!this.audio) return;
    this.stopAt = null;
    this.audio.currentTime = seconds;
    this.tick();
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
