// Shared by all scripts of the page: its data and small helpers. A page of several runs has a part for each.
const stored = JSON.parse(document.getElementById("data").textContent);
const parts = stored.parts || [stored];
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== null && text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
