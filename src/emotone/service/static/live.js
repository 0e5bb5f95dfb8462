// Recording: the microphone's samples go to the service as they come, and its results come back.

import { Problem, streamAddress } from "./service.js";

export class LiveRecording {
  /** `start` has further members of the first message; `onMessage` gets the service's, `onSamples` the sound, `onProblem` a failure. */
  constructor({ start = {}, onMessage, onSamples, onProblem }) {
    Object.assign(this, { members: start, onMessage, onSamples, onProblem });
    this.pieces = [];
  }

  async start() {
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
    await this.connect();
    const source = this.context.createMediaStreamSource(this.stream);
    this.worklet = new AudioWorkletNode(this.context, "microphone", { numberOfOutputs: 0 });
    this.worklet.port.onmessage = ({ data }) => {
      this.pieces.push(data);
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
      this.onSamples(new Int16Array(data), this.sampleRate);
    };
    source.connect(this.worklet);
  }

  connect() {
    this.socket = new WebSocket(streamAddress());
    this.socket.binaryType = "arraybuffer";
    let ready = false;
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Problem({ title: "The live view cannot start", detail: "The service does not answer." }));
      this.socket.onerror = lost;
      this.socket.onclose = lost;
      this.socket.onopen = () =>
        this.socket.send(JSON.stringify({ type: "start", encoding: "pcm16", sample_rate: this.sampleRate, ...this.members }));
      this.socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "ready") {
          ready = true;
          this.socket.onclose = () => this.onProblem(new Problem({ title: "The live view has ended", detail: "The service closed the connection." }));
          this.socket.onerror = null;
          resolve();
        }
        if (message.type === "problem") {
          const problem = new Problem(message.problem);
          this.socket.onclose = null;
          if (ready) this.onProblem(problem);
          else reject(problem);
          return;
        }
        this.onMessage(message);
      };
    });
  }

  /** Stop, and give all that was recorded as a WAV file. */
  async stop() {
    if (this.worklet) this.worklet.port.onmessage = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.socket) this.socket.onclose = null;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "stop" }));
    await this.context?.close();
    return this.pieces.length ? wav(this.pieces, this.sampleRate) : null;
  }
}

function wav(pieces, sampleRate) {
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
  return new File([head, ...pieces], nameNow(), { type: "audio/wav" });
}

/** "recording 14.05.09.wav": several on one page can be told apart. */
const nameNow = () => `recording ${new Date().toTimeString().slice(0, 8).replaceAll(":", ".")}.wav`;
