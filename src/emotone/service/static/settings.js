// The settings of an analysis, and the API key where the service asks for one.

const SETTLE_MS = 400;
const KEY = "emotone-key";

export class Settings {
  /** `onChange` is called shortly after the last change. */
  constructor({ channels, threshold, onChange }) {
    Object.assign(this, { channels, threshold });
    let timer;
    for (const field of [channels, threshold]) {
      field.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(onChange, SETTLE_MS);
      });
    }
  }

  /** Of the model: what a field that is left empty means. */
  describe({ unsure_threshold: threshold }) {
    this.threshold.placeholder = `${Math.round(100 * threshold)}`;
  }

  /** `threshold` is a share, or null for the model's own. */
  value() {
    const { value, validity } = this.threshold;
    return { channels: this.channels.value, threshold: value === "" || !validity.valid ? null : Number(value) / 100 };
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
