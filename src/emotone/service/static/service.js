// Calls to the service. Every failure becomes a Problem with a title and a detail that people can read.

const POLL_MS = 1000;
// While the service restarts, a job is asked for again for about a minute.
const MAX_POLLS = 60;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Problem extends Error {
  constructor({ title, detail, status, type }) {
    super(detail || title);
    this.title = title || "Something went wrong";
    this.detail = detail || "";
    this.status = status ?? 0;
    this.kind = (type || "").split("/").pop();
  }

  /** Whether the same request may succeed later. */
  get temporary() {
    return !this.status || this.status >= 500 || [401, 403, 408, 429].includes(this.status);
  }
}

const unreachable = () => new Problem({ title: "The service cannot be reached", detail: "Check that it is running, then try again." });
const aborted = () => new DOMException("cancelled", "AbortError");

/** Addresses are relative to the page, so that it works below a path of a proxy. */
export const addressOf = (path) => new URL(path, document.baseURI);

export function streamAddress() {
  const address = addressOf("v1/stream");
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address;
}

export const headersFor = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

function problemFrom(status, text) {
  try {
    return new Problem({ status, ...JSON.parse(text) });
  } catch {
    // A proxy's own error page.
    return new Problem({ title: `The service answered with status ${status}`, status });
  }
}

async function get(path, { key, signal, method = "GET", keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(addressOf(path), { method, headers: headersFor(key), signal, keepalive });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
  if (!response.ok) throw problemFrom(response.status, await response.text());
  return response;
}

/** Send a recording; `fetch` does not report the progress of an upload, so this is an XMLHttpRequest. */
function upload(path, body, { key, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw aborted();
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(path));
    for (const [name, value] of Object.entries(headersFor(key))) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.upload.onload = () => onProgress(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemFrom(request.status, request.responseText));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(aborted());
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

function queryOf({ channels, threshold, classes, track }) {
  const parameters = new URLSearchParams({ channels });
  if (threshold !== null) parameters.set("threshold", threshold);
  if (classes) parameters.set("classes", classes.join(","));
  if (track) parameters.set("track", track);
  return parameters;
}

/** A recording alone is the body; with further files it is a form. */
function bodyOf({ file, baseline, turns }) {
  if (!baseline && !turns) return file;
  const form = new FormData();
  form.append("file", file, file.name);
  if (baseline) form.append("baseline", baseline, baseline.name);
  if (turns) form.append("turns", turns, turns.name);
  return form;
}

/** Names of the parameters and form parts that the service takes with a recording, from its own description. */
export async function parameterNames() {
  const { post } = (await (await get("openapi.json")).json()).paths["/v1/recognize"];
  const form = post.requestBody?.content?.["multipart/form-data"]?.schema?.properties ?? {};
  return new Set([...(post.parameters ?? []).map(({ name }) => name), ...Object.keys(form)]);
}

export const models = async (key) => (await (await get("v1/models", { key })).json()).models;
export const examples = async () => (await get("examples")).json();

export async function exampleFile({ name, media_type: type }) {
  return new File([await (await get(`examples/${name}`)).blob()], name, { type });
}

/** Analyse a recording at once: `files` has the recording as `file`, perhaps a `baseline` and `turns`. `onProgress` gets the uploaded share, from 0 to 1. */
export const recognize = (files, settings, options) => upload(`v1/recognize?${queryOf(settings)}`, bodyOf(files), options);

/** The embedding of a speaker's usual voice, for the first message of a live stream. */
export const measureBaseline = async (file, key) =>
  (await upload("v1/baseline", file, { key, signal: new AbortController().signal, onProgress: () => {} })).embedding;

/** Leave a long recording as a job; returns its id. */
export const makeJob = async (files, settings, options) => (await upload(`v1/jobs?${queryOf(settings)}`, bodyOf(files), options)).id;

/** Wait for a job and return its result. `onState` gets each answer about it. */
export async function jobResult(id, { key, signal, onState }) {
  const path = `v1/jobs/${encodeURIComponent(id)}`;
  for (;;) {
    const job = await retried(async () => (await get(path, { key, signal })).json());
    onState(job);
    if (job.state === "failed") throw new Problem(job.problem);
    if (job.state === "done") return retried(async () => (await get(`${path}/result`, { key, signal })).json());
    await pause(POLL_MS);
    if (signal.aborted) throw aborted();
  }
}

export function deleteJob(id, key) {
  get(`v1/jobs/${encodeURIComponent(id)}`, { key, method: "DELETE", keepalive: true }).catch(() => {});
}

async function retried(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const temporary = error instanceof Problem && (!error.status || error.status >= 500 || error.status === 429);
      if (!temporary || tries >= MAX_POLLS) throw error;
      await pause(POLL_MS);
    }
  }
}

/** Offer a file for download. */
export function save(content, name, mediaType) {
  const url = URL.createObjectURL(new Blob([content], { type: mediaType }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
