// The model in words for people who have not read its papers.

import { element, percent } from "./emotions.js";

const CORPORA = {
  "crema-d": "CREMA-D, 91 actors from the USA speaking English",
  emodb: "EmoDB, ten actors speaking German",
  emogator: "EmoGator, 357 people’s sounds without words",
  emovo: "EMOVO, six actors speaking Italian",
  iemocap: "IEMOCAP, ten actors from the USA in conversation",
  nemo: "nEMO, nine actors speaking Polish",
  ravdess: "RAVDESS, 24 actors from Canada speaking English",
  savee: "SAVEE, four men speaking British English",
  tess: "TESS, two women from Canada speaking English",
  urdu: "38 people in Urdu talk shows",
};
// Scores are also measured on parts of the training corpora, under names that only their protocols explain.
const HELD_OUT = "other speakers of the same corpora";

const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const described = (name) => CORPORA[name.toLowerCase()] ?? `“${name}”`;

export function describeModel({ labels, corpora, scores }) {
  const names = [...new Set(corpora.map(({ name }) => name))];
  const learnt = names.length ? `It learnt from recordings of ${names.map(described).join("; ")}.` : "";
  const intro = `The model chooses among ${labels.length} emotions: ${listed(labels)}. ${learnt}`;
  const independent = scores.filter((score) => score.speaker_independent);
  if (!independent.length) return [element("p", {}, intro)];
  const rows = independent.map((score) => {
    const known = CORPORA[score.corpus.toLowerCase()];
    const seen = names.includes(score.corpus);
    const what = known ? `${known}${seen ? ", speakers it was not trained on" : ", recordings of a kind it was not trained on"}` : HELD_OUT;
    return element("li", {}, `${what}: ${percent(score.uar)} (95 % interval ${percent(score.uar_low)} to ${percent(score.uar_high)})`);
  });
  return [
    element("p", {}, intro),
    element("p", {}, `Share of each emotion that it recognised, on average over the emotions; choosing at random gives ${percent(1 / labels.length)}:`),
    element("ul", {}, ...rows),
  ];
}
