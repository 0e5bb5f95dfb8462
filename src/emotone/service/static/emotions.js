// Names and colours of the emotions, and the small elements that show them. The colours are those of every figure the
// package draws: the Okabe-Ito palette, which people with any common colour blindness can tell apart. Colour is never
// the only sign: a name is always beside it.

const COLOURS = {
  neutral: "#7f7f7f",
  calm: "#56b4e9",
  happiness: "#e69f00",
  sadness: "#0072b2",
  anger: "#d55e00",
  fear: "#cc79a7",
  disgust: "#009e73",
  surprise: "#f0e442",
  boredom: "#b8a88a",
  excitement: "#ffcf70",
  frustration: "#8c3b00",
};

// For labels that are not listed above, such as a user's own.
const SPARE_COLOURS = ["#44aa99", "#882255", "#6699cc", "#997700", "#aa4499", "#117733", "#ee99aa", "#332288"];

// Lines of a chart differ in their dashes as well.
const DASHES = ["", "7 4", "2 4", "11 4 2 4", "4 2", "14 4", "1 3", "8 3 1 3"];

// Two probabilities closer than this are named together: the model's calibration is not finer.
const NEAR_TIE = 0.15;

const spares = new Map();

export function colourOf(emotion) {
  if (COLOURS[emotion]) return COLOURS[emotion];
  if (!spares.has(emotion)) spares.set(emotion, SPARE_COLOURS[spares.size % SPARE_COLOURS.length]);
  return spares.get(emotion);
}

export const dashOf = (position) => DASHES[position % DASHES.length];

/** The most probable emotion, and the second where it is about as probable. Empty without an emotion. */
export function candidates({ emotion, probabilities }) {
  if (!emotion) return [];
  const others = Object.entries(probabilities ?? {}).filter(([label]) => label !== emotion);
  const [second, probability] = others.reduce((best, one) => (one[1] > best[1] ? one : best), ["", -1]);
  return probability > 0 && probabilities[emotion] - probability < NEAR_TIE ? [emotion, second] : [emotion];
}

/** What to call a segment, a channel or a recording. */
export function nameOf(one) {
  if (one.speech === false) return "no speech";
  const names = candidates(one);
  if (!names.length) return "too short to say";
  if (names.length === 2) return names.join(" or ");
  return one.unsure ? `perhaps ${one.emotion}` : one.emotion;
}

export const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)} %`;

export function clock(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** A length of time: "4.2 s", "12:05" or "1:02:03". */
export const lengthOf = (seconds) => (seconds < 59.95 ? `${seconds.toFixed(1)} s` : clock(Math.round(seconds)).replace(/\.0$/, ""));

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function button(label, onClick, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** A square in the colour of an emotion, or of two that are about as probable. */
export function swatch(names, unsure = false) {
  const [first, second] = [names].flat();
  const made = element("span", { class: unsure ? "swatch unsure" : "swatch", "aria-hidden": "true" });
  if (second) made.style.background = `linear-gradient(135deg, ${colourOf(first)} 50%, ${colourOf(second)} 50%)`;
  else made.style.background = first ? colourOf(first) : "transparent";
  return made;
}

/** A striped background, which marks what is unsure. */
export const stripes = (colour) => `repeating-linear-gradient(135deg, ${colour}70 0 5px, ${colour}20 5px 10px)`;

/** One bar per label: its probability. */
export function bars(labels, probabilities, best) {
  return labels.map((label) => {
    const share = probabilities[label] ?? 0;
    const fill = element("span", { class: "fill" });
    Object.assign(fill.style, { width: `${100 * share}%`, background: colourOf(label) });
    return barOf(label, [fill], percent(share), label === best);
  });
}

export function barOf(label, fills, text, best) {
  const rail = element("span", { class: "rail", "aria-hidden": "true" }, ...fills);
  return element("div", { class: best ? "bar best" : "bar" }, element("span", { class: "label" }, label), rail, element("span", { class: "share" }, text));
}
