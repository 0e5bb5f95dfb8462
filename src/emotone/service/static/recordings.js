// The recordings on the page and the queue that analyses them, one upload at a time. A long recording becomes a job,
// which the service keeps; the page remembers the job, so that a reload finds it again.

import { Problem, deleteJob, jobResult, makeJob, recognize } from "./service.js";

// Larger recordings become jobs at once; smaller ones when the service says that they take too long.
const JOB_BYTES = 48 * 1024 * 1024;
const NEEDS_JOB = ["too-long", "too-large", "time-limit"];
const MAX_REMEMBERED = 20;

/**
 * One recording:
 *   state: "waiting", "uploading", "analysing", "queued", "done" or "failed";
 *   progress: share of the upload or of the job, or null where it is not known;
 *   reply, settings: the result and the settings it was made with; problem: why there is none;
 *   wanted, control: the settings of the analysis under way, and what cancels it.
 */
function recordingOf(file, { name = file.name, recorded = false, notice = "", turns = null, jobId = null }) {
  return { file, name, recorded, notice, turns, jobId, state: "waiting", progress: null, reply: null, settings: null, problem: null, control: null };
}

export const isRunning = ({ state }) => state !== "done" && state !== "failed";

export class Recordings {
  /** `settings()` gives the present settings, `baseline()` the file they name, `key()` the API key; `onChange` gets a recording that has changed. */
  constructor({ settings, baseline, key, onChange }) {
    Object.assign(this, { settings, baseline, key, onChange, all: [], waiting: [], uploading: null });
  }

  /** `recorded`: made on this page, so that there is no other copy; `notice`: what to say beside its result; `turns`: a file with its turns. */
  add(file, { recorded, notice, turns } = {}) {
    const recording = recordingOf(file, { recorded, notice, turns });
    this.all.push(recording);
    this.analyse(recording);
    return recording;
  }

  /** Analyse a recording with the settings of the moment, also one that has a result of other settings. */
  analyse(recording) {
    this.stop(recording);
    Object.assign(recording, { state: "waiting", progress: null, problem: null, wanted: this.settings(), control: new AbortController() });
    this.waiting.push(recording);
    this.onChange(recording);
    this.next();
  }

  /** Cancel the analysis; a recording without an earlier result is removed. */
  cancel(recording) {
    this.stop(recording);
    if (!recording.reply) return this.remove(recording);
    recording.state = "done";
    return this.onChange(recording);
  }

  remove(recording) {
    this.stop(recording);
    this.all = this.all.filter((one) => one !== recording);
    this.onChange(recording);
  }

  /** Take up the jobs of an earlier visit. */
  resume() {
    for (const { id, name, settings } of remembered()) {
      const recording = recordingOf(null, { name, jobId: id });
      Object.assign(recording, { wanted: settings, control: new AbortController() });
      this.all.push(recording);
      this.run(recording, () => this.follow(recording, recording.control.signal));
    }
  }

  /** Try again what failed for want of an API key. */
  retryRefused() {
    for (const recording of this.all.filter(({ problem }) => problem?.status === 401)) {
      if (recording.file) this.analyse(recording);
    }
    if (this.all.every(({ file }) => file)) return;
    this.all = this.all.filter(({ file, problem }) => file || problem?.status !== 401);
    this.resume();
  }

  stop(recording) {
    recording.control?.abort();
    recording.control = null;
    this.waiting = this.waiting.filter((one) => one !== recording);
    if (recording.jobId) {
      deleteJob(recording.jobId, this.key());
      forget(recording.jobId);
      recording.jobId = null;
    }
  }

  next() {
    if (this.uploading || !this.waiting.length) return;
    const recording = this.waiting.shift();
    this.uploading = recording;
    const release = () => {
      if (this.uploading !== recording) return;
      this.uploading = null;
      this.next();
    };
    recording.wanted = this.settings();
    const { signal } = recording.control;
    this.run(recording, () => this.send(recording, signal, release)).finally(release);
  }

  async run(recording, work) {
    const { control } = recording;
    try {
      const reply = await work();
      if (recording.control !== control) return;
      Object.assign(recording, { reply, settings: recording.wanted, state: "done", progress: null, control: null });
    } catch (error) {
      if (recording.control !== control || error.name === "AbortError") return;
      const problem = error instanceof Problem ? error : new Problem({ detail: error.message });
      if (problem.status === 404 && !recording.file) {
        // A job of an earlier visit that the service has deleted meanwhile.
        forget(recording.jobId);
        recording.jobId = null;
        this.remove(recording);
        return;
      }
      Object.assign(recording, { problem, state: "failed", progress: null, control: null });
      if (recording.jobId && !problem.temporary) {
        forget(recording.jobId);
        recording.jobId = null;
      }
    }
    this.onChange(recording);
  }

  async send(recording, signal, release) {
    const { file, turns, wanted } = recording;
    const files = { file, turns, baseline: this.baseline() };
    const options = { key: this.key(), signal, onProgress: (share) => this.set(recording, share < 1 ? "uploading" : "analysing", share < 1 ? share : null) };
    this.set(recording, "uploading", 0);
    if (file.size <= JOB_BYTES) {
      try {
        return await recognize(files, wanted, options);
      } catch (error) {
        if (!NEEDS_JOB.includes(error.kind)) throw error;
      }
    }
    recording.jobId = await makeJob(files, wanted, options);
    remember({ id: recording.jobId, name: recording.name, settings: wanted });
    release();
    return this.follow(recording, signal);
  }

  follow(recording, signal) {
    const onState = ({ state, decoded_s: decoded, declared_s: declared }) =>
      this.set(recording, state === "queued" ? "queued" : "analysing", state === "running" && declared ? Math.min(1, decoded / declared) : null);
    return jobResult(recording.jobId, { key: this.key(), signal, onState });
  }

  set(recording, state, progress) {
    Object.assign(recording, { state, progress });
    this.onChange(recording);
  }
}

const placeOf = () => `emotone-jobs ${new URL(".", document.baseURI).pathname}`;

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(placeOf()) ?? "[]");
  } catch {
    return [];
  }
}

function keep(jobs) {
  try {
    localStorage.setItem(placeOf(), JSON.stringify(jobs.slice(-MAX_REMEMBERED)));
  } catch {
    // Without storage, as in some private windows, a reload does not find the job.
  }
}

const remember = (job) => keep([...remembered(), job]);
const forget = (id) => keep(remembered().filter((job) => job.id !== id));
