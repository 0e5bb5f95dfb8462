// Live recognition: the microphone's samples go to the service as they come, and its results come back.

import { Microphone } from "./microphone.js";
import { Problem, streamAddress } from "./service.js";

export class LiveRecording {
  /** `members()` gives further members of the first message, or a promise of them; `onMessage` gets the service's, `onSamples` the sound, `onProblem` a failure. */
  constructor({ members = () => ({}), onMessage, onSamples, onProblem }) {
    Object.assign(this, { members, onMessage, onProblem });
    this.microphone = new Microphone((piece, sampleRate) => {
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(piece);
      onSamples(new Int16Array(piece), sampleRate);
    });
  }

  async start() {
    await this.microphone.open();
    await this.connect(await this.members());
    this.microphone.record();
  }

  connect(members) {
    this.socket = new WebSocket(streamAddress());
    this.socket.binaryType = "arraybuffer";
    let ready = false;
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Problem({ title: "The live view cannot start", detail: "The service does not answer." }));
      this.socket.onerror = lost;
      this.socket.onclose = lost;
      this.socket.onopen = () =>
        this.socket.send(JSON.stringify({ type: "start", encoding: "pcm16", sample_rate: this.microphone.sampleRate, ...members }));
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
    if (this.socket) this.socket.onclose = null;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "stop" }));
    return this.microphone.close("recording");
  }
}
