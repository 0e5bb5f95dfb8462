// Calls to the service. Every failure becomes a Problem with a title and a detail that people can read.

const POLL_MS = 1000;
const PATIENCE = 60;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Problem extends Error {
  constructor({ title, detail, status, type }) {
    super(detail || title);
    this.title = title || "Something went wrong";
    this.detail = detail || "";
    this.status = status ?? 0;
    this.kind = (type || "").split("/").pop();
  }
}

const headersFor = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The service cannot be reached", detail: "Is it still running? Then try again." });
  }
  if (response.ok) return response;
  let members = { title: response.statusText, status: response.status };
  try {
    members = await response.json();
  } catch {
    // A proxy's own error page: its status must do.
  }
  throw new Problem(members);
}

const query = (settings, format) => {
  const parameters = new URLSearchParams({ channels: settings.channels, format });
  if (settings.threshold !== "") parameters.set("threshold", settings.threshold);
  return parameters;
};

export async function models(key) {
  return (await answered(fetch("/v1/models", { headers: headersFor(key) }))).json();
}

/** Judge a recording at once; the answer can be fetched again in another format. */
export async function recognize(recording, settings, signal) {
  const ask = (format) =>
    answered(fetch(`/v1/recognize?${query(settings, format)}`, { method: "POST", body: recording, headers: headersFor(settings.key), signal }));
  const reply = await (await ask("json")).json();
  return { reply, text: async (format) => (await ask(format)).text() };
}

/** Judge a long recording as a job, telling `onState` how it stands. A job that nobody waits for any more is taken back. */
export async function recognizeAsJob(recording, settings, signal, onState) {
  const headers = headersFor(settings.key);
  const made = await answered(fetch(`/v1/jobs?${query(settings, "json")}`, { method: "POST", body: recording, headers, signal }));
  let job = await made.json();
  const address = `/v1/jobs/${job.id}`;
  try {
    while (job.state === "queued" || job.state === "running") {
      onState(job.state);
      await pause(POLL_MS);
      job = await (await patiently(() => fetch(address, { headers, signal }))).json();
    }
    if (job.state === "failed") throw new Problem(job.problem);
    const result = (format, until) => patiently(() => fetch(`${address}/result?format=${format}`, { headers, signal: until }));
    return { reply: await (await result("json", signal)).json(), text: async (format) => (await result(format)).text() };
  } catch (error) {
    if (error.name === "AbortError") fetch(address, { method: "DELETE", headers, keepalive: true }).catch(() => {});
    throw error;
  }
}

/** A job outlives a restart of its service: while that cannot be reached, ask again for a minute. */
async function patiently(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await answered(ask());
    } catch (error) {
      const passing = error instanceof Problem && (!error.status || error.status >= 500 || error.status === 429);
      if (!passing || tries >= PATIENCE) throw error;
      await pause(POLL_MS);
    }
  }
}

export function save(content, name, mediaType) {
  const url = URL.createObjectURL(new Blob([content], { type: mediaType }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
