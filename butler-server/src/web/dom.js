// Making elements. Text is always text: nothing that comes from a server is read as HTML.

/** An element with attributes (functions listen to events) and children (elements or text). */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The element with this identifier. */
export const byId = (id) => document.getElementById(id);

/** A number as people write it. */
export const count = (number) => number.toLocaleString("en");

/** "1 dataset", "1,234 datasets". */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
