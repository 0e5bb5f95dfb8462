// The API in words, from its own OpenAPI description.

import { element } from "./emotions.js";

document.getElementById("example").textContent = `curl --data-binary @clip.wav '${location.origin}/v1/recognize'`;
const description = await (await fetch("/openapi.json")).json();

for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    const parameters = (operation.parameters ?? []).map((one) =>
      element("li", {}, element("code", {}, one.name), ` (${one.in}${one.required ? ", required" : ""}) ${one.description ?? ""}`),
    );
    const answers = Object.entries(operation.responses).map(([status, answer]) =>
      element("li", {}, element("code", {}, status), ` ${answer.description}`),
    );
    document.getElementById("routes").append(
      element(
        "section",
        { class: "card" },
        element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`)),
        element("p", {}, operation.description ?? operation.summary ?? ""),
        ...(parameters.length ? [element("h3", {}, "Parameters"), element("ul", {}, ...parameters)] : []),
        element("h3", {}, "Answers"),
        element("ul", {}, ...answers),
      ),
    );
  }
}
