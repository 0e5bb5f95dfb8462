// The speaker's usual voice, which a result can be relative to: recorded on the page, or a file.

import { Microphone } from "./microphone.js";

const LENGTH_S = 5;

export class BaselineControl {
  /** `onFile` gets a file, or null when it is removed; `onProblem` a failure. */
  constructor({ record, choose, input, remove, note, onFile, onProblem }) {
    Object.assign(this, { record, choose, input, remove, note, onFile, onProblem });
    this.label = record.textContent;
    record.addEventListener("click", () => this.recordVoice());
    choose.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const [file] = input.files;
      input.value = "";
      if (file) this.use(file);
    });
    remove.addEventListener("click", () => this.use(null));
  }

  use(file) {
    this.remove.hidden = !file;
    this.note.textContent = file ? `Results are relative to ${file.name}.` : "";
    this.onFile(file);
  }

  async recordVoice() {
    this.record.disabled = true;
    const microphone = new Microphone(() => {
      const left = LENGTH_S - microphone.duration;
      this.record.textContent = `Speak as usual … ${Math.max(0, Math.ceil(left))} s`;
      if (left <= 0) ended();
    });
    let ended;
    const end = new Promise((resolve) => (ended = resolve));
    try {
      await microphone.open();
      microphone.record();
      await end;
      this.use(await microphone.close("usual voice"));
    } catch (error) {
      await microphone.close("usual voice");
      this.onProblem(error);
    } finally {
      this.record.textContent = this.label;
      this.record.disabled = false;
    }
  }
}
