// Plays a recording, and shows its waveform with coloured segments and its spectrogram; where there is neither, the
// segments alone.

import WaveSurfer from "./vendor/wavesurfer/wavesurfer.js";
import Regions from "./vendor/wavesurfer/regions.js";
import Spectrogram from "./vendor/wavesurfer/spectrogram.js";
import { candidates, colourOf, element, stripes } from "./emotions.js";
import { Overview } from "./overview.js";

// A browser decodes a recording whole: beyond this it would take hundreds of megabytes.
const LONGEST_S = 20 * 60;
// A canvas has 30,000 pixels at most, two for each of the page's on a fine screen.
const WIDEST_PX = 14_000;
const LABEL_FONT = "600 11px system-ui, sans-serif";
const LABEL_PADDING_PX = 16;
const SPEECH_RATE = 16_000;

const nonce = () => document.querySelector('meta[name="csp-nonce"]').content;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** One channel, or the mean of all: what the model was given. */
function channelOf(sound, channel) {
  if (channel !== null && channel < sound.numberOfChannels) return sound.getChannelData(channel);
  const mixed = new Float32Array(sound.length);
  for (let one = 0; one < sound.numberOfChannels; one++) {
    sound.getChannelData(one).forEach((value, position) => (mixed[position] += value / sound.numberOfChannels));
  }
  return mixed;
}

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(text) {
  ruler.font = LABEL_FONT;
  return ruler.measureText(text).width + LABEL_PADDING_PX;
}

export class Player {
  /** `title` and `note` say what is drawn instead of a waveform; `spectrogramPart` is hidden without a spectrogram. */
  constructor({ waveform, title, note, spectrogram, spectrogramPart, onTime, onPlaying, onPlayable }) {
    Object.assign(this, { waveform, title, note, spectrogram, spectrogramPart, onTime, onPlaying, onPlayable });
    this.stopAt = null;
    this.audio = null;
    this.position = 0;
    this.overview = new Overview(waveform, (seconds) => this.goTo(seconds));
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
    this.audio = null;
    this.onPlaying(false);
    this.overview.clear();
    this.moved(0);
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

  /** Show a recording: all its channels mixed, or the one of the track. Without a file it cannot be played. */
  async show(recording, { duration_s: duration, labels }, track) {
    this.clear();
    Object.assign(this, { track, labels, duration });
    this.onPlayable(Boolean(recording));
    if (!recording) {
      this.showSegments("without the recording there is no waveform");
      return;
    }
    const audio = new Audio();
    this.audio = audio;
    audio.addEventListener("timeupdate", () => this.audio === audio && this.tick());
    audio.addEventListener("play", () => this.audio === audio && this.onPlaying(true));
    audio.addEventListener("pause", () => this.audio === audio && this.onPlaying(false));
    audio.addEventListener("error", () => this.audio === audio && this.onPlayable(false));
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
      this.surfer = this.audio = null;
      this.onPlayable(false);
      this.showSegments("this browser cannot play the format, so there is no waveform");
    }
  }

  showSegments(why) {
    this.title.textContent = "Emotions over time";
    this.note.textContent = why;
    this.spectrogramPart.hidden = true;
    this.overview.show(this.track.segments, this.labels, this.duration);
  }

  /** Another part is in view, or the same at another width. */
  resize(view) {
    this.overview.draw(view);
    // Names fit into segments that have become wide enough.
    if (this.sound && view.pixelsPerSecond !== this.pixelsPerSecond) this.mark(this.track.segments);
    this.pixelsPerSecond = view.pixelsPerSecond;
  }

  /** Another channel of the same recording. */
  async showTrack(track) {
    this.track = track;
    if (this.overview.segments) this.overview.show(track.segments, this.labels, this.duration);
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
      const width = (segment.end_s - segment.start_s) * pixelsPerSecond;
      const colour = colourOf(segment.emotion);
      const region = this.regions.addRegion({ start: segment.start_s, end: segment.end_s, color: `${colour}55`, drag: false, resize: false, content: this.label(segment, width) });
      Object.assign(region.element.style, { borderTop: `4px ${segment.unsure ? "dashed" : "solid"} ${colour}`, cursor: "pointer", overflow: "hidden" });
      if (segment.unsure) {
        region.element.style.background = stripes(colour);
      }
    }
  }

  /** The name of a segment where it fits, or its first part; a label is never cut. */
  label(segment, width) {
    const mark = segment.unsure ? "?" : "";
    const text = [candidates(segment).join(" / ") + mark, segment.emotion + mark, mark].find((one) => one && widthOf(one) <= width);
    if (!text) return undefined;
    const made = element("span", {}, text);
    Object.assign(made.style, { font: LABEL_FONT, padding: "0 4px", margin: "2px", display: "inline-block", borderRadius: "4px", color: style("--ink"), background: style("--card"), whiteSpace: "nowrap" });
    return made;
  }

  tick() {
    if (this.stopAt !== null && this.audio.currentTime >= this.stopAt) {
      this.audio.pause();
      this.stopAt = null;
    }
    this.moved(this.audio.currentTime);
  }

  moved(seconds) {
    this.position = seconds;
    this.overview.moveTo(seconds);
    this.onTime(seconds);
  }

  goTo(seconds) {
    this.stopAt = null;
    const at = Math.min(this.duration, Math.max(0, seconds));
    if (this.audio) this.audio.currentTime = at;
    this.moved(at);
  }

  /** Play one segment. */
  hear(start, end) {
    if (!this.audio) return this.goTo(start);
    this.audio.currentTime = start;
    this.stopAt = end;
    return this.audio.play().catch(() => this.onPlaying(false));
  }

  toggle() {
    if (!this.audio) return;
    this.stopAt = null;
    if (this.audio.paused) this.audio.play().catch(() => this.onPlaying(false));
    else this.audio.pause();
  }
}
