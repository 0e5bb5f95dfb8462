// The page: a recording in, what the service hears in it out.

import { Problem, models, recognize, recognizeAsJob, save } from "./calls.js";
import { Chart } from "./chart.js";
import { clock, element, percent } from "./emotions.js";
import { LiveRecording } from "./live.js";
import { LiveView } from "./live-view.js";
import { Picture } from "./picture.js";
import { SegmentTable } from "./segment-table.js";
import { showVerdict } from "./verdict.js";
import { Zoom } from "./zoom.js";

// Larger recordings become jobs, which survive a restart and take as long as they need.
const JOB_BYTES = 48 * 1024 * 1024;
const MEDIA_TYPES = { csv: "text/csv", json: "application/json", textgrid: "text/plain", webvtt: "text/vtt" };
const SUFFIXES = { csv: "csv", json: "json", textgrid: "TextGrid", webvtt: "vtt" };

const $ = (id) => document.getElementById(id);
const picture = new Picture({
  waveform: $("waveform"),
  title: $("waveform-title"),
  note: $("waveform-note"),
  spectrogram: $("spectrogram"),
  spectrogramPart: $("spectrogram-part"),
  onTime: showTime,
  onPlaying: (playing) => {
    $("play").textContent = playing ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(playing));
  },
});
const chart = new Chart($("chart"), $("chart-note"), (seconds) => picture.goTo(seconds));
const table = new SegmentTable({ body: $("rows"), title: $("segments-title"), onHear: (start, end) => picture.hear(start, end) });
const zoom = new Zoom({
  frame: $("over-time"),
  wide: $("wide"),
  inward: $("zoom-in"),
  outward: $("zoom-out"),
  told: $("zoom-told"),
  onChange: (view) => {
    chart.draw(view);
    picture.look(view);
  },
});
const live = new LiveView($("live"));

let shown = null; // { reply, text, name, recorded }
let running = null; // AbortController of the recording being judged
let recording = null; // LiveRecording

const settings = () => ({ channels: $("channels").value, threshold: $("threshold").value, key: $("key").value.trim() });

function say(text) {
  $("status").hidden = !text;
  $("status").textContent = text;
}

function complain(error, name, remedies = []) {
  say("");
  const title = error.title ?? "Something went wrong";
  // To the service every file is a "recording"; here it has its name.
  const detail = (error.detail || error.message || "").replace(/^recording: /, "");
  $("problem").hidden = false;
  $("problem").replaceChildren(element("strong", {}, name ? `${name}: ${title}` : title), element("span", {}, detail && detail[0].toUpperCase() + detail.slice(1)));
  if (remedies.length) $("problem").append(element("div", { class: "remedies" }, ...remedies.map(([label, act]) => button(label, act))));
  if (error.status === 401) {
    document.querySelector(".settings").open = true;
    $("key").focus();
  }
}

function button(label, act) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", act);
  return made;
}

/** What can be done after a failure: nothing that was recorded is lost with it. */
function remedies(error, file, recorded) {
  const passing = !error.status || error.status >= 500 || [401, 403, 408, 429].includes(error.status);
  return [
    ...(passing ? [["Try again", () => judge(file, recorded)]] : []),
    ...(recorded ? [["Save the recording", () => save(file, file.name, file.type)]] : []),
  ];
}

async function judge(file, recorded = false) {
  running?.abort();
  const control = (running = new AbortController());
  $("problem").hidden = true;
  $("result").hidden = true;
  picture.clear();
  say(`Listening to ${file.name} …`);
  try {
    const answer = await ask(file, control.signal);
    if (running !== control) return;
    say("");
    await show(answer, file, recorded);
  } catch (error) {
    if (error.name !== "AbortError") complain(error, file.name, remedies(error, file, recorded));
  } finally {
    if (running === control) running = null;
  }
}

async function ask(file, signal) {
  const asJob = () =>
    recognizeAsJob(file, settings(), signal, (state) => say(state === "queued" ? "Waiting for its turn …" : `Listening to ${file.name} …`));
  if (file.size > JOB_BYTES) return asJob();
  try {
    return await recognize(file, settings(), signal);
  } catch (error) {
    if (error instanceof Problem && ["too-long", "too-large", "time-limit"].includes(error.kind)) return asJob();
    throw error;
  }
}

async function show({ reply, text }, file, recorded) {
  shown = { reply, text, name: file.name.replace(/\.[^.]*$/, "") || "recording", recorded: recorded ? file : null };
  $("save-recording").hidden = !recorded;
  $("result").hidden = false;
  showVerdict(reply, $);
  $("total").textContent = clock(reply.duration_s);
  zoom.begin(reply.duration_s, Picture.widest(reply.duration_s));
  $("zoom").hidden = zoom.most === 1;
  showTabs(reply);
  showTrack(reply.tracks[0]);
  $("result").focus({ preventScroll: true });
  $("result").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  await picture.show(file, reply, reply.tracks[0]);
}

function showTabs(reply) {
  $("tracks").hidden = reply.tracks.length < 2;
  const tabs = reply.tracks.map((track, position) => {
    const tab = element("button", { type: "button", role: "tab", "aria-selected": String(position === 0) }, `Channel ${position + 1}: ${track.emotion ?? "no speech"}`);
    tab.addEventListener("click", () => {
      tabs.forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
      showTrack(track);
      picture.turnTo(track);
    });
    return tab;
  });
  $("tracks").replaceChildren(...tabs);
}

function showTrack(track) {
  chart.show(track.timeline, shown.reply.labels, shown.reply.duration_s);
  table.show(track.segments);
}

function showTime(seconds) {
  $("now").textContent = clock(seconds);
  zoom.follow(seconds);
  chart.moveTo(seconds);
  table.moveTo(seconds);
}

async function toggleRecording() {
  if (recording) return stopRecording();
  $("problem").hidden = true;
  $("result").hidden = true;
  running?.abort();
  recording = new LiveRecording({
    key: settings().key,
    onMessage: (message) => live.hear(message),
    onSamples: (samples, sampleRate) => live.draw(samples, sampleRate),
    onProblem: (problem) => {
      complain(problem);
      stopRecording();
    },
  });
  $("record").disabled = true;
  try {
    await recording.start();
    live.begin();
    $("record").setAttribute("aria-pressed", "true");
    $("record-label").textContent = "Stop";
  } catch (error) {
    const failed = recording;
    recording = null;
    await failed?.stop().catch(() => {});
    complain(error);
  } finally {
    $("record").disabled = false;
  }
  return undefined;
}

async function stopRecording() {
  const ended = recording;
  recording = null;
  $("record").setAttribute("aria-pressed", "false");
  $("record-label").textContent = "Record";
  const file = await ended?.stop();
  live.end();
  // Also where the live view failed on its way: what was said by then is not lost.
  if (file) await judge(file, true);
}

async function download(format) {
  if (!shown) return;
  try {
    const text = format === "json" ? JSON.stringify(shown.reply, null, 2) : await shown.text(format);
    save(text, `${shown.name}.${SUFFIXES[format]}`, MEDIA_TYPES[format]);
  } catch (error) {
    complain(error);
  }
}

function listen() {
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) judge(file);
  });
  $("record").addEventListener("click", toggleRecording);
  $("speech-only").addEventListener("change", () => $("rows").classList.toggle("speech-only", $("speech-only").checked));
  $("play").addEventListener("click", () => picture.toggle());
  document.querySelectorAll("[data-format]").forEach((button) => button.addEventListener("click", () => download(button.dataset.format)));
  $("save-recording").addEventListener("click", () => save(shown.recorded, shown.recorded.name, shown.recorded.type));
  addEventListener("beforeunload", (event) => {
    if (recording) event.preventDefault();
  });
  // The whole page takes drops, so that a near miss does not make the browser leave for the file.
  let inside = 0;
  const over = (change) => {
    inside = Math.max(0, inside + change);
    $("drop").classList.toggle("over", inside > 0);
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-Infinity);
    const [file] = event.dataTransfer.files;
    if (file) judge(file);
  });
}

async function introduce() {
  try {
    const [model] = (await models(settings().key)).models;
    const scores = model.scores
      .filter((score) => score.speaker_independent)
      .map((score) => `${percent(score.uar)} (${percent(score.uar_low)} to ${percent(score.uar_high)}) on “${score.corpus}”`);
    const chance = percent(1 / model.labels.length);
    const score = scores.length ? ` Of each emotion it found, in voices it had never heard: ${scores.join("; ")}. Guessing finds ${chance}.` : "";
    $("model").textContent = `The model “${model.name}” tells ${model.labels.join(", ")} apart and learnt from ${model.corpora.map((corpus) => corpus.name).join(", ")}.${score}`;
  } catch {
    $("model").textContent = "";
  }
}

listen();
introduce();
