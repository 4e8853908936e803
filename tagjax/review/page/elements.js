// Elements of the page. Names of tags and artists come in as text only, never as HTML.

export const at = (id) => document.getElementById(id);

/** An element with properties (`class`, `click`, `wide`, others by name), and children: nodes or text. */
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") node.className = value;
    else if (key === "click") node.addEventListener("click", value);
    else if (key === "wide") node.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function svg(name, properties = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(properties)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Fills a list, or says that it is empty. */
export function fill(list, items, empty = "") {
  list.replaceChildren(...(items.length || !empty ? items : [el("li", {class: "small"}, empty)]));
}

/** A bar of a chart. */
export const bar = (share) =>
  el("span", {class: "track", "aria-hidden": "true"}, el("span", {class: "fill", wide: share}));

/** Runs a function when there was quiet for so long: a person may be writing still. */
export function afterwards(milliseconds, work) {
  let wait = 0;
  return (...values) => {
    clearTimeout(wait);
    wait = setTimeout(work, milliseconds, ...values);
  };
}
