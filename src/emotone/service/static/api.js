// The API in words, from its own OpenAPI description.

import { element } from "./emotions.js";
import { addressOf } from "./service.js";

document.getElementById("example").textContent = `curl --data-binary @clip.wav '${addressOf("v1/recognize")}'`;
const description = await (await fetch(addressOf("openapi.json"))).json();

// Descriptions mark code with backticks.
const words = (text) => text.split("`").map((part, position) => (position % 2 ? element("code", {}, part) : part));
const folded = (title, ...inside) => element("details", { class: "settings" }, element("summary", {}, title), ...inside);

/** The example of an answer, where its schema has one. */
function exampleOf(answer) {
  const name = answer.content?.["application/json"]?.schema?.$ref?.split("/").pop();
  return name && description.components.schemas[name].example;
}

const valuesOf = ({ schema = {} }) => schema.enum ?? description.components.schemas[schema.$ref?.split("/").pop()]?.enum ?? [];

for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    const parameters = (operation.parameters ?? []).map((one) =>
      element("li", {}, element("code", {}, one.name), ` (${one.in}${one.required ? ", required" : ""}) `, ...words(one.description ?? ""), valuesOf(one).length ? `: ${valuesOf(one).join(", ")}` : ""),
    );
    const answers = Object.entries(operation.responses);
    const listed = (chosen) => element("ul", {}, ...chosen.map(([status, answer]) => element("li", {}, element("code", {}, status), ` ${answer.description}`)));
    const [good, bad] = [answers.filter(([status]) => status < "400"), answers.filter(([status]) => status >= "400")];
    const example = good.map(([, answer]) => exampleOf(answer)).find(Boolean);
    const media = good.flatMap(([, answer]) => Object.keys(answer.content ?? {}));
    document.getElementById("routes").append(
      element(
        "section",
        { class: "card" },
        element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`)),
        element("p", {}, ...words(operation.description ?? operation.summary ?? "")),
        ...(parameters.length ? [element("h3", {}, "Parameters"), element("ul", {}, ...parameters)] : []),
        element("p", { class: "quiet" }, `Answers ${good.map(([status]) => status).join(", ")}${media.length ? `: ${media.join(", ")}` : ""}`),
        ...(example ? [folded("Example", element("pre", { tabindex: "0" }, element("code", {}, JSON.stringify(example, null, 2))))] : []),
        ...(bad.length ? [folded("Problems", listed(bad))] : []),
      ),
    );
  }
}
