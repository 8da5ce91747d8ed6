// The gallery: worst, median or most improved faces, with ground truth and prediction drawn over the crop.
if (data.gallery && byId("gallery")) {
  const { cells, faces, keys, subsets } = data.gallery;
  const space = "http://www.w3.org/2000/svg";
  const list = byId("gallery");
  const cellChoice = byId("g-cell");
  const subsetChoice = byId("g-subset");
  const kinds = all('input[name="kind"]');
  const dialog = byId("g-dialog");
  cells.forEach((cell, i) => cellChoice.append(make("option", cell.label, { value: i })));
  subsets.forEach((subset, i) => subsetChoice.append(make("option", subset, { value: i })));

  // Points are base64 of little-endian uint16: 0 is -0.5 of the frame, 65535 is 1.5.
  const unpack = (text, face) => {
    const bytes = atob(text);
    const at = (i) => (bytes.charCodeAt(i) | (bytes.charCodeAt(i + 1) << 8)) / 32767.5 - 0.5;
    const points = [];
    for (let i = 0; i < bytes.length; i += 4) points.push([(at(i) * face.w).toFixed(1), (at(i + 2) * face.h).toFixed(1)]);
    return points;
  };
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
    const truth = unpack(face.truth, face);
    const predicted = unpack(cell.points[number], face);
    shape(svg, "error", truth.map(([x, y], i) => `M${x} ${y}L${predicted[i][0]} ${predicted[i][1]}`).join(""));
    if (base) shape(svg, "plain", dots(unpack(base.points[number], face)));
    shape(svg, "truth", dots(truth));
    shape(svg, "predicted", dots(predicted));
    return svg;
  };
  const kind = () => kinds.find((input) => input.checked).value;
  const show = () => {
    const cell = cells[Number(cellChoice.value)];
    const chosen = kind();
    subsetChoice.disabled = chosen !== "worst";
    if (chosen !== "worst") subsetChoice.value = keys.indexOf("test");
    const subset = keys[Number(subsetChoice.value)];
    const base = chosen === "improved" && cell.base !== null ? cells[cell.base] : null;
    const shown = (cell[chosen] && cell[chosen][subset]) || [];
    const titles = {
      worst: `Worst faces of ${subsets[Number(subsetChoice.value)]}`,
      median: "Faces around the median",
      improved: base ? `Most improved against ${data.cells[cell.base].decoder_name}` : "Most improved by the decoder",
    };
    byId("g-heading").textContent = titles[chosen];
    byId("g-plain").hidden = !base;
    if (base) byId("g-plain-name").textContent = data.cells[cell.base].decoder_name;
    list.replaceChildren();
    if (!shown.length) {
      list.append(make("li", chosen === "improved" && !base
        ? "This cell uses the plain decoder. Choose another cell."
        : "There are no faces to show."));
    }
    for (const number of shown) {
      const face = faces[number];
      const nme = base ? `${base.nme[number]} → ${cell.nme[number]} %` : `${cell.nme[number]} %`;
      const traits = face.in.map((i) => subsets[i]).join(", ");
      const words = `NME ${nme}, ${face.image}, line ${face.line}${traits ? `, ${traits}` : ""}`;
      const item = document.createElement("li");
      const figure = document.createElement("figure");
      const button = make("button", null, { type: "button", "aria-label": `Enlarge: ${words}` });
      button.append(draw(number, cell, base, words));
      button.addEventListener("click", () => {
        byId("g-large").replaceChildren(draw(number, cell, base, words));
        byId("g-dialog-name").textContent = words;
        dialog.showModal();
      });
      const caption = document.createElement("figcaption");
      caption.append(make("b", nme), document.createElement("br"), make("bdi", face.image.split("/").pop(), { title: face.image }), ` line ${face.line}`);
      if (traits) caption.append(document.createElement("br"), make("bdi", traits));
      figure.append(button, caption);
      item.append(figure);
      list.append(item);
    }
  };
  for (const input of [cellChoice, subsetChoice, ...kinds]) input.addEventListener("change", show);
  byId("g-layers").addEventListener("change", (event) => {
    for (const holder of [list, byId("g-large")]) holder.classList.toggle(`no-${event.target.value}`, !event.target.checked);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-show]");
    if (!link) return;
    event.preventDefault();
    const [cell, subset] = link.dataset.show.split(" ");
    cellChoice.value = cell;
    subsetChoice.value = subset;
    kinds[0].checked = true;
    show();
    byId("faces").scrollIntoView();
    byId("g-heading").focus({ preventScroll: true });
  });
  kinds[2].closest("label").hidden = !cells.some((cell) => cell.improved && cell.improved.test.length);
  byId("g-picture").hidden = !Object.values(faces).some((face) => face.picture);
  byId("g-controls").hidden = false;
  byId("g-layers").hidden = false;
  if (data.best !== null) cellChoice.value = data.best;
  show();
}
