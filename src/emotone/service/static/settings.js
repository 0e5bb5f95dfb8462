// The settings of an analysis, and the API key where the service asks for one.

import { element } from "./emotions.js";

const SETTLE_MS = 400;
const KEY = "emotone-key";

export class Settings {
  /** Elements by name; `onChange` is called shortly after the last change. */
  constructor({ channels, threshold, track, trackField, classes, classesField, onChange }) {
    Object.assign(this, { channels, threshold, track, trackField, classes, classesField, onChange });
    this.baseline = null;
    for (const field of [channels, threshold, track, classes]) field.addEventListener("input", () => this.changed());
  }

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.onChange, SETTLE_MS);
  }

  /** What the model and the service offer; `names` are the parameters that the service takes. */
  describe({ unsure_threshold: threshold, labels }, names) {
    this.threshold.placeholder = `${Math.round(100 * threshold)}`;
    this.trackField.hidden = !names.has("track");
    this.classesField.hidden = !names.has("classes") || labels.length < 3;
    this.classes.replaceChildren(
      ...labels.map((label) => {
        const box = element("input", { type: "checkbox", value: label });
        box.checked = true;
        return element("label", {}, box, label);
      }),
    );
  }

  /** A file with the speaker's usual voice, or null. */
  useBaseline(file) {
    this.baseline = file;
    this.changed();
  }

  /** Plain values: `threshold` a share, `classes` names, `track` from 1, `baseline` the file's name; null for the default. */
  value() {
    const number = ({ value, validity }) => (value === "" || !validity.valid ? null : Number(value));
    const threshold = number(this.threshold);
    return {
      channels: this.channels.value,
      threshold: threshold === null ? null : threshold / 100,
      classes: this.chosenClasses(),
      track: this.trackField.hidden ? null : number(this.track),
      baseline: this.baseline && `${this.baseline.name} ${this.baseline.lastModified}`,
    };
  }

  /** Null for all of them, and where fewer than two are chosen. */
  chosenClasses() {
    if (this.classesField.hidden) return null;
    const boxes = [...this.classes.querySelectorAll("input")];
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    return chosen.length < 2 || chosen.length === boxes.length ? null : chosen;
  }
}

export const sameSettings = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export class ApiKey {
  /** `onKey` is called when a key was entered. It is kept for this tab alone. */
  constructor({ form, field, onKey }) {
    Object.assign(this, { form, field });
    this.value = sessionStorage.getItem(KEY) ?? "";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.value = field.value.trim();
      sessionStorage.setItem(KEY, this.value);
      form.hidden = true;
      onKey();
    });
  }

  /** Ask for a key, or for another one. */
  ask() {
    this.form.querySelector("[data-refused]").hidden = !this.value;
    this.form.hidden = false;
    this.field.focus();
  }
}
