// Names and colours of the emotions. The colours are those of every picture the package draws: the Okabe-Ito palette,
// which people with any common colour blindness tell apart. Colour is never the only sign: names stand beside it.

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

// Lines of a chart differ in their dashes as well.
const DASHES = ["", "7 4", "2 4", "11 4 2 4", "4 2", "14 4", "1 3", "8 3 1 3"];

export const colourOf = (emotion) => COLOURS[emotion] ?? "#bbbbbb";
export const dashOf = (position) => DASHES[position % DASHES.length];

export function nameOf(segment) {
  if (segment.speech === false) return "no speech";
  if (!segment.emotion) return "too short to say";
  return segment.unsure ? `perhaps ${segment.emotion}` : segment.emotion;
}

export const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)} %`;

export function clock(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function swatch(emotion, unsure = false) {
  const made = element("span", { class: unsure ? "swatch unsure" : "swatch", "aria-hidden": "true" });
  made.style.background = emotion ? colourOf(emotion) : "transparent";
  return made;
}

export function bars(labels, probabilities, best) {
  return labels.map((label) => {
    const share = probabilities[label] ?? 0;
    const fill = element("span", { class: "fill" });
    Object.assign(fill.style, { width: `${100 * share}%`, background: colourOf(label) });
    return element("div", { class: label === best ? "bar best" : "bar" }, element("span", {}, label), element("span", { class: "rail", "aria-hidden": "true" }, fill), element("span", { class: "share" }, percent(share)));
  });
}
