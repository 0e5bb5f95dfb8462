// The page: a recording in, what the service hears in it out.

import { Problem, models, recognize, recognizeAsJob, save } from "./calls.js";
import { Chart } from "./chart.js";
import { bars, clock, colourOf, dashOf, element, nameOf, percent, swatch } from "./emotions.js";
import { LiveRecording } from "./live.js";
import { LiveView } from "./live-view.js";
import { Picture } from "./picture.js";

// Larger recordings become jobs, which survive a restart and take as long as they need.
const JOB_BYTES = 48 * 1024 * 1024;
const MEDIA_TYPES = { csv: "text/csv", json: "application/json", textgrid: "text/plain", webvtt: "text/vtt" };
const SUFFIXES = { csv: "csv", json: "json", textgrid: "TextGrid", webvtt: "vtt" };

const $ = (id) => document.getElementById(id);
const chart = new Chart($("chart"));
const picture = new Picture({
  waveform: $("waveform"),
  spectrogram: $("spectrogram"),
  onTime: showTime,
  onPlaying: (playing) => {
    $("play").textContent = playing ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(playing));
  },
});
const live = new LiveView($("live"));

let shown = null; // { reply, text, name, track, rows }
let running = null; // AbortController of the recording being judged
let recording = null; // LiveRecording

const settings = () => ({ channels: $("channels").value, threshold: $("threshold").value, key: $("key").value.trim() });

function say(text) {
  $("status").hidden = !text;
  $("status").textContent = text;
}

function complain(error, name) {
  say("");
  const title = error.title ?? "Something went wrong";
  // To the service every file is a "recording"; here it has its name.
  const detail = (error.detail || error.message || "").replace(/^recording: /, "");
  $("problem").hidden = false;
  $("problem").replaceChildren(element("strong", {}, name ? `${name}: ${title}` : title), element("span", {}, detail && detail[0].toUpperCase() + detail.slice(1)));
  if (error.status === 401) {
    document.querySelector(".settings").open = true;
    $("key").focus();
  }
}

async function judge(file) {
  running?.abort();
  const control = (running = new AbortController());
  $("problem").hidden = true;
  $("result").hidden = true;
  picture.clear();
  say(`Listening to ${file.name} …`);
  try {
    const answer = await ask(file, control.signal);
    await show(answer, file);
    say("");
  } catch (error) {
    if (error.name !== "AbortError") complain(error, file.name);
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

async function show({ reply, text }, file) {
  shown = { reply, text, name: file.name.replace(/\.[^.]*$/, "") || "recording", rows: [] };
  $("result").hidden = false;
  showVerdict(reply);
  $("total").textContent = clock(reply.duration_s);
  $("legend").replaceChildren(...reply.labels.map((label, position) => element("li", {}, dash(label, position), label)));
  showTabs(reply);
  showTrack(0);
  $("result").focus({ preventScroll: true });
  $("result").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  await picture.show(file, reply.duration_s, shown.track);
}

function dash(label, position) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("width", 34);
  svg.setAttribute("height", 10);
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "line");
  const attributes = { x1: 0, x2: 28, y1: 5, y2: 5, stroke: colourOf(label), "stroke-width": 4, "stroke-dasharray": dashOf(position) };
  for (const [key, value] of Object.entries(attributes)) line.setAttribute(key, value);
  svg.append(line);
  return svg;
}

function showVerdict(reply) {
  const said = reply.emotion ? nameOf({ ...reply, speech: true }) : "nobody speaks";
  $("verdict").replaceChildren(swatch(reply.emotion, reply.unsure), said);
  $("verdict-detail").textContent = detailOf(reply);
  $("bars").replaceChildren(...(reply.emotion ? bars(reply.labels, reply.probabilities, reply.emotion) : []));
  $("notices").hidden = !reply.notices.length;
  $("notices").replaceChildren(...reply.notices.map((notice) => element("li", {}, notice)));
}

function detailOf(reply) {
  const length = reply.duration_s < 60 ? `${reply.duration_s.toFixed(1)} s` : clock(reply.duration_s);
  if (!reply.emotion) return `${length} · no speech was found`;
  if (!reply.unsure) return `${length} · confidence ${percent(reply.confidence)}`;
  // Two numbers that round to the same would say nothing.
  const digits = percent(reply.confidence) === percent(reply.unsure_threshold) ? 1 : 0;
  const [confidence, threshold] = [reply.confidence, reply.unsure_threshold].map((share) => percent(share, digits));
  return `${length} · unsure: confidence ${confidence}, below ${threshold}`;
}

function showTabs(reply) {
  $("tracks").hidden = reply.tracks.length < 2;
  const tabs = reply.tracks.map((track, position) => {
    const tab = element("button", { type: "button", role: "tab", "aria-selected": String(position === 0) }, `Channel ${position + 1}: ${track.emotion ?? "no speech"}`);
    tab.addEventListener("click", () => {
      tabs.forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
      showTrack(position);
    });
    return tab;
  });
  $("tracks").replaceChildren(...tabs);
}

function showTrack(position) {
  const track = (shown.track = shown.reply.tracks[position]);
  picture.turnTo(track);
  chart.show(track.timeline, shown.reply.labels, shown.reply.duration_s);
  shown.rows = track.segments.map(row);
  $("rows").replaceChildren(...shown.rows);
  const spoken = track.segments.filter((segment) => segment.speech).length;
  $("segments-title").textContent = `Segments: ${spoken} with speech of ${track.segments.length}`;
}

function row(segment) {
  const { start_s: start, end_s: end, confidence } = segment;
  const said = nameOf(segment);
  const hear = element("button", { type: "button", "aria-label": `Hear ${said}, ${clock(start)} to ${clock(end)}` }, "▶");
  hear.addEventListener("click", () => picture.hear(start, end));
  const fill = element("span");
  Object.assign(fill.style, { width: `${100 * confidence}%`, background: segment.emotion ? colourOf(segment.emotion) : "transparent" });
  const meter = element("span", { class: "meter", "aria-hidden": "true" }, fill);
  const name = segment.emotion ? [swatch(segment.emotion, segment.unsure), said] : [said];
  return element("tr", { class: segment.speech ? "" : "pause" }, element("td", {}, hear), element("td", {}, clock(start)), element("td", {}, clock(end)), element("td", {}, ...name), element("td", {}, ...(segment.emotion ? [meter, percent(confidence)] : ["–"])));
}

function showTime(seconds) {
  $("now").textContent = clock(seconds);
  chart.moveTo(seconds);
  shown?.track?.segments.forEach((segment, position) => {
    shown.rows[position].classList.toggle("playing", seconds > 0 && seconds >= segment.start_s && seconds < segment.end_s);
  });
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
    await failed.stop().catch(() => {});
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
  if (file) await judge(file);
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
