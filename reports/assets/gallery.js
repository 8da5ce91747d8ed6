// The gallery: worst, median or most improved faces, with ground truth and prediction drawn over the crop; enlarged, the
// same face under every headline cell.
if (data.gallery && byId("gallery")) {
  const { cells, faces, keys, subsets, headline } = data.gallery;
  const space = "http://www.w3.org/2000/svg";
  const list = byId("gallery");
  const cellChoice = byId("g-cell");
  const subsetChoice = byId("g-subset");
  const otherChoice = byId("g-other");
  const kinds = all('input[name$="kind"]');
  const dialog = byId("g-dialog");
  const option = (i) => make("option", cells[i].label, { value: i });
  const group = (name, numbers) => {
    if (!numbers.length) return;
    const element = make("optgroup", null, { label: name });
    for (const i of numbers) element.append(option(i));
    cellChoice.append(element);
  };
  group("Headline cells", headline);
  group("Other cells", cells.map((_, i) => i).filter((i) => !headline.includes(i)));
  subsets.forEach((subset, i) => subsetChoice.append(make("option", subset, { value: i })));

  // The ground truth is base64 of little-endian uint16: 0 is -0.5 of the frame, 65535 is 1.5.
  const fractions = (face) => {
    const bytes = atob(face.truth);
    const at = (i) => (bytes.charCodeAt(i) | (bytes.charCodeAt(i + 1) << 8)) / 32767.5 - 0.5;
    const points = [];
    for (let i = 0; i < bytes.length; i += 4) points.push([at(i), at(i + 2)]);
    return points;
  };
  // A prediction is a step and base64 of int8 offsets from the ground truth.
  const moved = (truth, [step, text]) => {
    const bytes = atob(text);
    const at = (i) => ((bytes.charCodeAt(i) << 24) >> 24) * step;
    return truth.map(([x, y], i) => [x + at(2 * i), y + at(2 * i + 1)]);
  };
  const scaled = (points, face) => points.map(([x, y]) => [(x * face.w).toFixed(1), (y * face.h).toFixed(1)]);
  const shape = (svg, name, path) => {
    const element = document.createElementNS(space, "path");
    element.setAttribute("class", name);
    element.setAttribute("d", path);
    svg.append(element);
  };
  const dots = (points) => points.map(([x, y]) => `M${x} ${y}h0`).join("");
  const draw = (number, cell, base, words) => {
    const face = faces[number];
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("class", "face");
    svg.setAttribute("viewBox", `0 0 ${face.w} ${face.h}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", words);
    if (face.picture) {
      const image = document.createElementNS(space, "image");
      image.setAttribute("href", `data:image/jpeg;base64,${face.picture}`);
      image.setAttribute("width", face.w);
      image.setAttribute("height", face.h);
      image.setAttribute("preserveAspectRatio", "none");
      svg.append(image);
    }
    const inside = fractions(face);
    const truth = scaled(inside, face);
    const predicted = scaled(moved(inside, cell.points[number]), face);
    shape(svg, "error", truth.map(([x, y], i) => `M${x} ${y}L${predicted[i][0]} ${predicted[i][1]}`).join(""));
    if (base) shape(svg, "plain", dots(scaled(moved(inside, base.points[number]), face)));
    shape(svg, "truth", dots(truth));
    shape(svg, "predicted", dots(predicted));
    return svg;
  };
  const enlarge = (number, cell, base, words) => {
    byId("g-large").replaceChildren(draw(number, cell, base, words));
    byId("g-dialog-name").textContent = words;
    const same = headline.filter((i) => cells[i] !== cell && cells[i].points[number]);
    byId("g-same").replaceChildren(...same.map((i) => {
      const item = document.createElement("li");
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.append(make("b", `${cells[i].nme[number]} %`), document.createElement("br"), make("bdi", cells[i].label));
      figure.append(draw(number, cells[i], null, `${cells[i].label}: NME ${cells[i].nme[number]} %`), caption);
      item.append(figure);
      return item;
    }));
    dialog.showModal();
  };
  const kind = () => kinds.find((input) => input.checked).value;
  const others = (cell) => Object.keys(cell.improved).sort((a, b) => (Number(b) === cell.base) - (Number(a) === cell.base));
  const fillOthers = () => {
    otherChoice.replaceChildren(...others(cells[Number(cellChoice.value)]).map((i) => option(Number(i))));
  };
  const show = () => {
    const cell = cells[Number(cellChoice.value)];
    const chosen = kind();
    subsetChoice.disabled = chosen !== "worst";
    if (chosen !== "worst") subsetChoice.value = keys.indexOf("test");
    const subset = keys[Number(subsetChoice.value)];
    const other = chosen === "improved" && otherChoice.value !== "" ? Number(otherChoice.value) : null;
    const base = other === null ? null : cells[other];
    const lists = { worst: cell.worst[subset], median: cell.median, improved: other === null ? [] : cell.improved[other] };
    const shown = lists[chosen] || [];
    const titles = {
      worst: `Worst faces of ${subsets[Number(subsetChoice.value)]}`,
      median: "Faces around the median",
      improved: base ? `Most improved compared with ${base.label}` : "Most improved",
    };
    byId("g-heading").textContent = titles[chosen];
    byId("g-other-label").hidden = chosen !== "improved" || !base;
    byId("g-plain").hidden = !base;
    if (base) byId("g-plain-name").textContent = base.label;
    list.replaceChildren();
    const empty = {
      worst: "The list of this cell and subset was left out to keep the page small.",
      median: "The page has these faces for the headline cells alone.",
      improved: "No face improved, or the cell is compared with no other one. Choose another cell.",
    };
    if (!shown.length) list.append(make("li", empty[chosen]));
    for (const number of shown) {
      const face = faces[number];
      const nme = base ? `${base.nme[number]} → ${cell.nme[number]} %` : `${cell.nme[number]} %`;
      const traits = face.in.map((i) => subsets[i]).join(", ");
      const words = `NME ${nme}, ${face.image}, line ${face.line}${traits ? `, ${traits}` : ""}`;
      const item = document.createElement("li");
      const figure = document.createElement("figure");
      const button = make("button", null, { type: "button", "aria-label": `Enlarge: ${words}` });
      button.append(draw(number, cell, base, words));
      button.addEventListener("click", () => enlarge(number, cell, base, words));
      const caption = document.createElement("figcaption");
      caption.append(make("b", nme), document.createElement("br"), make("bdi", face.image.split("/").pop(), { title: face.image }), ` line ${face.line}`);
      if (traits) caption.append(document.createElement("br"), make("bdi", traits));
      figure.append(button, caption);
      item.append(figure);
      list.append(item);
    }
  };
  cellChoice.addEventListener("change", fillOthers);
  for (const input of [cellChoice, subsetChoice, otherChoice, ...kinds]) input.addEventListener("change", show);
  byId("g-layers").addEventListener("change", (event) => {
    for (const holder of [list, byId("g-large"), byId("g-same")]) {
      holder.classList.toggle(`no-${event.target.value}`, !event.target.checked);
    }
  });
  home.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-show]");
    if (!link) return;
    event.preventDefault();
    const [cell, subset] = link.dataset.show.split(" ");
    cellChoice.value = cell;
    subsetChoice.value = subset;
    kinds[0].checked = true;
    fillOthers();
    show();
    byId("faces").scrollIntoView();
    byId("g-heading").focus({ preventScroll: true });
  });
  kinds[2].closest("label").hidden = !cells.some((cell) => Object.keys(cell.improved).length);
  byId("g-picture").hidden = !Object.values(faces).some((face) => face.picture);
  byId("g-controls").hidden = false;
  byId("g-layers").hidden = false;
  if (data.best !== null) cellChoice.value = data.best;
  fillOthers();
  show();
}
