// Shared by all scripts of the page: the data, small helpers, and the cells that the filters show.
const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const byId = (id) => document.getElementById(id);
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== null && text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
const visible = data.cells.map(() => true);
const listeners = [];
const onFilter = (listener) => listeners.push(listener);
