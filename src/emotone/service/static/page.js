// The page: recordings in, the emotions the service recognises in them out.

import { describeModel } from "./about.js";
import { BaselineControl } from "./baseline.js";
import { Chart } from "./chart.js";
import { button, clock, element, lengthOf, swatch } from "./emotions.js";
import { FORMATS } from "./formats.js";
import { chartOf, headlineOf, legendOf, momentsOf } from "./headline.js";
import { LiveRecording } from "./live.js";
import { LiveView } from "./live-view.js";
import { Player } from "./player.js";
import { RecordingList } from "./recording-list.js";
import { Recordings, isRunning } from "./recordings.js";
import { SegmentTable } from "./segment-table.js";
import { exampleFile, examples, measureBaseline, models, parameterNames, save } from "./service.js";
import { ApiKey, Settings, sameSettings } from "./settings.js";
import { tracksOf } from "./summary.js";
import { Zoom } from "./zoom.js";

const $ = (id) => document.getElementById(id);

// Files of turns are distinguished from recordings by their suffixes; the service recognises their format by content.
const TURNS = /\.(rttm|srt|vtt|textgrid|csv|json)$/i;
// An arrow key moves by this, or by a twentieth of a short recording.
const SEEK_S = 5;
const STATUS = {
  waiting: (name) => `${name} waits for the recordings before it`,
  uploading: (name) => `Uploading ${name}`,
  queued: (name) => `${name} waits in the service’s queue`,
  analysing: (name) => `Analysing ${name}`,
};

let selected = null; // the recording whose result is shown
let shown = null; // the reply that is drawn
let drawn = {}; // the recording and the file it was drawn from
let live = null; // LiveRecording
let attaching = false; // whether the chosen file belongs to the result that is shown
let offered = new Set(); // parameters that the service takes
let introduced = null; // fulfilled when they are known

const settings = new Settings({
  channels: $("channels"),
  threshold: $("threshold"),
  track: $("track"),
  trackField: $("track-field"),
  classes: $("classes"),
  classesField: $("classes-field"),
  onChange: settingsChanged,
});
new BaselineControl({
  record: $("baseline-record"),
  choose: $("baseline-choose"),
  input: $("baseline-file"),
  remove: $("baseline-remove"),
  note: $("baseline-note"),
  onFile: (file) => settings.useBaseline(file),
  onProblem: (error) => showProblem(error),
});
const key = new ApiKey({ form: $("key-form"), field: $("key"), onKey: keyEntered });
const recordings = new Recordings({ settings: () => settings.value(), baseline: () => settings.baseline, key: () => key.value, onChange: changed });
const list = new RecordingList({ list: $("recordings"), onSelect: select, onRemove: remove });
const liveView = new LiveView($("live"), () => settings.value().threshold);
const player = new Player({
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
  onPlayable: (playable) => {
    $("play").hidden = !playable;
    $("attach").hidden = Boolean(selected?.file);
    $("result").classList.toggle("silent", !playable);
  },
});
const chart = new Chart($("chart"), $("chart-note"), (seconds) => player.goTo(seconds));
const table = new SegmentTable({ body: $("rows"), title: $("segments-title"), onHear: (start, end) => player.hear(start, end) });
const zoom = new Zoom({
  frame: $("over-time"),
  wide: $("wide"),
  inward: $("zoom-in"),
  outward: $("zoom-out"),
  note: $("zoom-note"),
  onChange: (view) => {
    chart.draw(view);
    player.resize(view);
  },
});

// Recordings and the list

/** A file of turns belongs to the recording of the same name, or to the only one beside it, or to the one shown. */
async function addFiles(files, options = {}) {
  const all = [...files];
  // Until the service has said what it takes, turns cannot be distinguished from recordings.
  if (all.some(({ name }) => TURNS.test(name))) await introduced;
  const isTurns = ({ name }) => offered.has("turns") && TURNS.test(name);
  const turns = all.filter(isTurns);
  const sounds = all.filter((file) => !isTurns(file));
  const turnsOf = ({ name }) => turns.find((file) => stemOf(file.name) === stemOf(name)) ?? (turns.length === 1 && sounds.length === 1 ? turns[0] : null);
  const added = sounds.map((file) => recordings.add(file, { ...options, turns: turnsOf(file) }));
  if (added.length) select(added[0], { wanted: true });
  else if (turns.length) addTurns(turns);
}

function addTurns(turns) {
  const named = (file) => recordings.all.find((one) => one.file && stemOf(one.name) === stemOf(file.name));
  for (const file of turns) {
    const recording = named(file) ?? (selected?.file ? selected : null);
    if (!recording) {
      showProblem({ title: `${file.name}: turns without a recording`, detail: "Drop the recording first, or both together." });
      return;
    }
    recording.turns = file;
    recordings.analyse(recording);
  }
}

function removeTurns() {
  selected.turns = null;
  recordings.analyse(selected);
}

/** Show a recording. `wanted`: its first result takes the focus, since the user has just asked for it. */
function select(recording, { wanted = false } = {}) {
  selected = recording;
  if (recording) recording.takesFocus = wanted;
  render();
  applySettings();
}

function remove(recording) {
  if (isRunning(recording)) recordings.cancel(recording);
  else recordings.remove(recording);
}

function changed(recording) {
  if (recording.problem?.status === 401) key.ask();
  if (!recordings.all.includes(selected)) selected = recordings.all.at(-1) ?? null;
  render();
}

function render() {
  const { all } = recordings;
  $("list").hidden = all.length < 2;
  list.show(all, selected);
  const done = all.filter(({ reply }) => reply);
  const finished = all.filter((one) => !isRunning(one)).length;
  $("list-title").textContent = finished < all.length ? `Recordings: ${finished} of ${all.length} analysed` : `${all.length} recordings`;
  $("download-all").hidden = done.length < 2;
  $("apply-all").hidden = done.length < 2 || !done.some(isStale);
  document.body.classList.toggle("has-recordings", all.length > 0);
  const running = selected && isRunning(selected);
  $("progress").hidden = !running;
  if (running) showProgress(selected);
  if (selected?.state === "failed") showProblem(selected.problem, selected.name, remediesFor(selected));
  else $("problem").hidden = true;
  $("turns").hidden = !selected?.turns;
  $("turns-note").textContent = selected?.turns ? `One segment per turn of ${selected.turns.name}.` : "";
  const reply = selected?.reply ?? null;
  $("result").hidden = !reply || Boolean(live);
  $("result").setAttribute("aria-busy", String(Boolean(running)));
  $("stale").hidden = !reply || running || !selected.file || !isStale(selected);
  if (reply !== shown) showResult(reply);
}

function showProgress({ state, progress, name }) {
  const text = STATUS[state](name);
  // A screen reader announces a change of the text.
  if ($("status").textContent !== text) $("status").textContent = text;
  if (progress === null) $("progress-bar").removeAttribute("value");
  else $("progress-bar").value = progress;
}

function showProblem(error, name, remedies = []) {
  const title = error.title ?? "Something went wrong";
  // To the service every file is a "recording"; here it has its name.
  const detail = (error.detail || error.message || "").replace(/^recording: /, "");
  $("problem").hidden = false;
  $("problem").replaceChildren(element("strong", {}, name ? `${name}: ${title}` : title), element("span", {}, detail && detail[0].toUpperCase() + detail.slice(1)));
  if (remedies.length) $("problem").append(element("div", { class: "remedies" }, ...remedies));
}

/** What can be done after a failure: nothing that was recorded is lost. */
function remediesFor(recording) {
  const { problem, file, recorded } = recording;
  return [
    ...(problem.temporary && file ? [button("Try again", () => recordings.analyse(recording))] : []),
    ...(recorded ? [button("Save the recording", () => save(file, file.name, file.type))] : []),
  ];
}

// The result

async function showResult(reply) {
  // The same recording with other settings keeps its position; another one starts at 0.
  const position = drawn.recording === selected && drawn.file === selected?.file ? player.position : 0;
  drawn = { recording: selected, file: selected?.file };
  shown = reply;
  if (!reply) return player.clear();
  $("result-title").textContent = selected.name;
  const { length } = tracksOf(reply);
  $("result-about").textContent = `${lengthOf(reply.duration_s)}${length > 1 ? ` · ${length} channels` : ""}${reply.baseline ? " · relative to the usual voice" : ""}`;
  // That there are turns is said above.
  const notices = [reply.note, selected.notice].filter((notice) => notice && !/^\d+ turns?$/.test(notice));
  $("notices").hidden = !notices.length;
  $("notices").replaceChildren(...notices.map((notice) => element("li", {}, notice)));
  $("legend").replaceChildren(...legendOf(reply.labels));
  $("save-recording").hidden = !selected.recorded;
  $("total").textContent = clock(reply.duration_s);
  zoom.begin(reply.duration_s, Player.widest(reply.duration_s));
  $("zoom").hidden = zoom.most === 1;
  showTabs(reply);
  showTrack(tracksOf(reply)[0]);
  if (selected.takesFocus) {
    $("result").focus({ preventScroll: true });
    $("result").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  }
  selected.takesFocus = false;
  await player.show(selected.file, reply, tracksOf(reply)[0]);
  if (position && shown === reply) player.goTo(position);
  return undefined;
}

/** One tab per channel, with its headline: the arrow keys move between them. */
function showTabs(reply) {
  $("channel-tabs").hidden = tracksOf(reply).length < 2;
  const sides = tracksOf(reply).length === 2 ? ["left", "right"] : [];
  const tabs = tracksOf(reply).map((track, position) => {
    const { text, names, unsure, detail } = headlineOf(track, reply.labels, reply.unsure_threshold);
    const title = `Channel ${position + 1}${sides[position] ? `, ${sides[position]}` : ""}`;
    const tab = element("button", { type: "button", role: "tab", "aria-controls": "over-time" }, element("span", { class: "quiet" }, title), element("span", { class: "headline" }, ...(names.length ? [swatch(names, unsure)] : []), text), element("span", { class: "quiet" }, detail));
    tab.addEventListener("click", () => choose(position));
    return tab;
  });
  const mark = (position) =>
    tabs.forEach((tab, one) => {
      tab.setAttribute("aria-selected", String(one === position));
      tab.setAttribute("tabindex", one === position ? "0" : "-1");
    });
  const choose = (position) => {
    mark(position);
    showTrack(tracksOf(reply)[position]);
    player.showTrack(tracksOf(reply)[position]);
  };
  $("channel-tabs").onkeydown = (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    tabs[next].focus();
    choose(next);
  };
  mark(0);
  $("channel-tabs").replaceChildren(...tabs);
}

function showTrack(track) {
  const { labels, duration_s: duration, unsure_threshold: threshold } = shown;
  const { text, names, unsure, detail } = headlineOf(track, labels, threshold);
  $("headline").replaceChildren(...(names.length ? [swatch(names, unsure)] : []), text);
  $("headline-detail").textContent = detail;
  const { title, rows } = chartOf(track, labels);
  $("bars-title").textContent = title;
  $("bars").replaceChildren(...rows);
  const moments = momentsOf(track, (start, end) => player.hear(start, end));
  $("moments-part").hidden = !moments.length;
  $("moments").replaceChildren(...moments);
  chart.show(track.timeline, labels, duration);
  table.show(track.segments);
  // Of a recording that was classified as a whole they would repeat the headline.
  $("chart-part").hidden = track.timeline.start_s.length < 2;
  $("segments-part").hidden = track.segments.length < 2;
  $("speech-only-label").hidden = track.segments.every(({ speech }) => speech);
}

function showTime(seconds) {
  $("now").textContent = clock(seconds);
  zoom.follow(seconds);
  chart.moveTo(seconds);
  table.moveTo(seconds);
}

function seekWithKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !shown) return;
  const step = Math.min(SEEK_S, shown.duration_s / 20);
  const to = { ArrowLeft: player.position - step, ArrowRight: player.position + step, Home: 0, End: shown.duration_s }[event.key];
  if (to !== undefined) player.goTo(to);
  else if (event.key === " " && event.target === $("over-time")) player.toggle();
  else return;
  event.preventDefault();
}

const stemOf = (name) => name.replace(/\.[^.]*$/, "") || "recording";

function download(format) {
  const { write, suffix, mediaType } = FORMATS[format];
  save(write([selected]), `${stemOf(selected.name)}.${suffix}`, mediaType);
}

function downloadAll() {
  const done = recordings.all.filter(({ reply }) => reply);
  save(FORMATS.csv.write(done), "emotions.csv", FORMATS.csv.mediaType);
}

// Settings and the key

const isStale = (recording) => Boolean(recording.reply) && !isRunning(recording) && !sameSettings(recording.settings, settings.value());

function settingsChanged() {
  liveView.refresh();
  render();
  applySettings();
}

/** A short recording is analysed again at once; for a job the page offers it. */
function applySettings() {
  if (!selected?.file || selected.jobId) return;
  const outdated = isRunning(selected) ? !sameSettings(selected.wanted, settings.value()) : isStale(selected);
  if (outdated) recordings.analyse(selected);
}

function applyToAll() {
  for (const recording of recordings.all) if (recording.file && isStale(recording)) recordings.analyse(recording);
}

function keyEntered() {
  introduced = introduce();
  recordings.retryRefused();
}

// Recording

async function liveMembers() {
  const { threshold, classes } = settings.value();
  return {
    ...(key.value ? { key: key.value } : {}),
    ...(threshold === null ? {} : { threshold }),
    ...(classes ? { classes: classes.join(",") } : {}),
    ...(settings.baseline ? { baseline: await measureBaseline(settings.baseline, key.value) } : {}),
  };
}

async function toggleRecording() {
  if (live) return stopRecording();
  $("problem").hidden = true;
  $("result").hidden = true;
  player.clear();
  shown = null;
  live = new LiveRecording({
    members: liveMembers,
    onMessage: (message) => liveView.receive(message),
    onSamples: (samples, sampleRate) => liveView.draw(samples, sampleRate),
    onProblem: (problem) => stopRecording(`The live view ended early: ${problem.detail || problem.title}`),
  });
  $("record").disabled = true;
  try {
    await live.start();
    liveView.begin();
    $("record").setAttribute("aria-pressed", "true");
    $("record-label").textContent = "Stop";
  } catch (error) {
    const failed = live;
    live = null;
    await failed?.stop().catch(() => {});
    showProblem(error);
    if (error.status === 401) key.ask();
  } finally {
    $("record").disabled = false;
  }
  return undefined;
}

/** Ends also when the live view fails; what was recorded until then is analysed, which may well succeed. */
async function stopRecording(notice = "") {
  const ended = live;
  live = null;
  $("record").setAttribute("aria-pressed", "false");
  $("record-label").textContent = "Record";
  const file = await ended?.stop();
  liveView.end();
  if (file) addFiles([file], { recorded: true, notice });
  else render();
}

// The rest

function chosen(files) {
  if (attaching && selected && files.length) {
    [selected.file] = files;
    shown = null;
    render();
  } else {
    addFiles(files);
  }
  attaching = false;
}

function dropped({ items, files }) {
  const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory;
  if ([...items].some(isFolder)) {
    showProblem({ title: "A folder cannot be dropped here", detail: "Open it and drop the recordings in it; on the command line, `emotone predict FOLDER` takes folders." });
    return;
  }
  addFiles(files);
}

function listen() {
  $("choose").addEventListener("click", () => {
    attaching = false;
    $("file").click();
  });
  $("attach").addEventListener("click", () => {
    attaching = true;
    $("file").click();
  });
  $("file").addEventListener("change", () => {
    const files = [...$("file").files];
    $("file").value = "";
    chosen(files);
  });
  $("record").addEventListener("click", toggleRecording);
  $("cancel").addEventListener("click", () => recordings.cancel(selected));
  $("turns-remove").addEventListener("click", removeTurns);
  $("apply").addEventListener("click", () => recordings.analyse(selected));
  $("apply-all").addEventListener("click", applyToAll);
  $("download-all").addEventListener("click", downloadAll);
  $("speech-only").addEventListener("change", () => {
    $("rows").classList.toggle("speech-only", $("speech-only").checked);
    table.refresh();
  });
  $("play").addEventListener("click", () => player.toggle());
  $("player").addEventListener("keydown", seekWithKeys);
  document.querySelectorAll("[data-format]").forEach((one) => one.addEventListener("click", () => download(one.dataset.format)));
  $("save-recording").addEventListener("click", () => save(selected.file, selected.name, selected.file.type));
  addEventListener("beforeunload", (event) => {
    if (live) event.preventDefault();
  });
  // The whole page takes drops, so that a near miss does not make the browser open the file.
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
    dropped(event.dataTransfer);
  });
}

async function introduce() {
  try {
    const [model] = await models(key.value);
    offered = await parameterNames().catch(() => offered);
    settings.describe(model, offered);
    $("baseline-field").hidden = !offered.has("baseline") || !model.baseline;
    $("turns-hint").hidden = !offered.has("turns");
    if (offered.has("turns")) $("file").accept += ",.rttm,.srt,.vtt,.textgrid,.csv,.json";
    $("model").replaceChildren(...describeModel(model));
    $("model-part").hidden = false;
  } catch (error) {
    if (error.status === 401) key.ask();
  }
}

async function offerExamples() {
  try {
    const buttons = (await examples()).map((example) => button(example.title, async () => addFiles([await exampleFile(example)])));
    $("examples").append(...buttons);
    $("examples").hidden = !buttons.length;
  } catch {
    // The page works without them.
  }
}

listen();
introduced = introduce();
offerExamples();
recordings.resume();
if (recordings.all.length) select(recordings.all.at(-1));
