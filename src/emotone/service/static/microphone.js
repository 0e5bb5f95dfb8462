// The microphone: samples as they come, and all of them as a WAV file at the end.

import { Problem } from "./service.js";

export class Microphone {
  /** `onPiece` gets an ArrayBuffer of 16-bit samples, ten times a second, and the sample rate. */
  constructor(onPiece = () => {}) {
    Object.assign(this, { onPiece, pieces: [] });
  }

  /** Ask for the microphone. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Problem({ title: "No microphone here", detail: "Browsers allow it on https and on localhost only." });
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    } catch (error) {
      throw new Problem({ title: "The microphone cannot be used", detail: error.message });
    }
    this.context = new AudioContext();
    this.sampleRate = this.context.sampleRate;
    await this.context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
  }

  record() {
    const source = this.context.createMediaStreamSource(this.stream);
    this.worklet = new AudioWorkletNode(this.context, "microphone", { numberOfOutputs: 0 });
    this.worklet.port.onmessage = ({ data }) => {
      this.pieces.push(data);
      this.onPiece(data, this.sampleRate);
    };
    source.connect(this.worklet);
  }

  /** Seconds recorded so far. */
  get duration() {
    return this.pieces.reduce((sum, piece) => sum + piece.byteLength, 0) / 2 / (this.sampleRate ?? 1);
  }

  /** Stop, and give what was recorded as a WAV file; null for nothing. */
  async close(name) {
    if (this.worklet) this.worklet.port.onmessage = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    await this.context?.close();
    return this.pieces.length ? wav(this.pieces, this.sampleRate, `${name} ${timeNow()}.wav`) : null;
  }
}

function wav(pieces, sampleRate, name) {
  const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const head = new DataView(new ArrayBuffer(44));
  const text = (offset, letters) => [...letters].forEach((letter, i) => head.setUint8(offset + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, sampleRate, true);
  head.setUint32(28, sampleRate * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  text(36, "data");
  head.setUint32(40, size, true);
  return new File([head, ...pieces], name, { type: "audio/wav" });
}

/** "14.05.09": it distinguishes several recordings on one page. */
const timeNow = () => new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
