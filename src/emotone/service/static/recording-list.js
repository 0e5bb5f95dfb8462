// The list of the recordings on the page, with the result of each or how far it is.

import { element, percent, swatch } from "./emotions.js";
import { headlineOf } from "./headline.js";
import { isRunning } from "./recordings.js";
import { tracksOf } from "./summary.js";

export const STATES = { waiting: "waiting", uploading: "uploading", queued: "waiting in the service’s queue", analysing: "analysing", failed: "failed" };

export class RecordingList {
  /** `onSelect` and `onRemove` get a recording. */
  constructor({ list, onSelect, onRemove }) {
    Object.assign(this, { list, onSelect, onRemove, rows: new Map() });
  }

  show(recordings, selected) {
    for (const [recording, { row }] of this.rows) {
      if (recordings.includes(recording)) continue;
      row.remove();
      this.rows.delete(recording);
    }
    for (const recording of recordings) this.update(recording, recording === selected);
  }

  update(recording, isSelected) {
    const { open, state, remove } = this.rows.get(recording) ?? this.add(recording);
    open.setAttribute("aria-current", String(isSelected));
    state.className = `state ${recording.state}`;
    state.replaceChildren(...stateOf(recording));
    remove.setAttribute("aria-label", `${isRunning(recording) ? "Cancel" : "Remove"} ${recording.name}`);
  }

  add(recording) {
    const state = element("span", { class: "state" });
    const open = element("button", { type: "button", class: "open" }, element("span", { class: "name" }, recording.name), state);
    open.addEventListener("click", () => this.onSelect(recording));
    const remove = element("button", { type: "button", class: "remove" }, "×");
    remove.addEventListener("click", () => this.onRemove(recording));
    const row = element("li", {}, open, remove);
    this.list.append(row);
    const made = { row, open, state, remove };
    this.rows.set(recording, made);
    return made;
  }
}

function stateOf({ state, progress, reply, problem }) {
  if (state === "failed" && problem) return [problem.title];
  if (state !== "done") return [progress ? `${STATES[state]} ${percent(progress)}` : STATES[state]];
  return tracksOf(reply).flatMap((track, position) => {
    const { text, names, unsure } = headlineOf(track, reply.labels, reply.unsure_threshold);
    return [...(position ? [" · "] : []), ...(names.length ? [swatch(names, unsure)] : []), text];
  });
}
