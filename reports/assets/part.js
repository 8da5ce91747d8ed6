// Shared by the scripts of one run's part of the page: its data, its elements, and the cells that its filters show.
const home = data.prefix ? document.getElementById(`${data.prefix}run`) : document;
const all = (selector, root = home) => Array.from(root.querySelectorAll(selector));
const byId = (id) => document.getElementById((data.prefix || "") + id);
const visible = data.cells.map(() => true);
const listeners = [];
const onFilter = (listener) => listeners.push(listener);
