// Cumulative curves: select a subset, read values at the pointer or the slider, highlight a curve.
if (data.ced && byId("ced-figures")) {
  const holder = byId("ced-figures");
  const slider = byId("ced-x");
  const chooser = byId("ced-subset");
  const space = "http://www.w3.org/2000/svg";
  const figures = all("figure[data-axis]", holder).map((figure) => {
    const axis = data.ced.axes[figure.dataset.axis];
    const svg = figure.querySelector("svg");
    const cross = document.createElementNS(space, "line");
    cross.setAttribute("class", "cross");
    cross.setAttribute("y1", axis.box[1]);
    cross.setAttribute("y2", axis.box[1] + axis.box[3]);
    svg.append(cross);
    const curves = [];
    for (const curve of all("[data-cell]", svg)) curves[data.ced.cells.indexOf(Number(curve.dataset.cell))] = curve;
    return { name: figure.dataset.axis, axis, svg, cross, curves, log: figure.dataset.axis === "log" };
  });
  const rows = [];
  for (const row of all("tr[data-curve]", byId("ced-values"))) rows[data.ced.cells.indexOf(Number(row.dataset.curve))] = row;
  const body = byId("ced-values").tBodies[0];
  const sums = {};
  const totals = (axis, subset, cell) => {
    const key = `${axis.name}/${subset}/${cell}`;
    if (!sums[key]) {
      // Increments: -n is a run of n zeros, and trailing zeros are left out.
      let total = 0;
      const found = [];
      for (const step of axis.axis.steps[subset][cell]) {
        if (step < 0) found.push(...new Array(-step).fill(total));
        else found.push((total += step));
      }
      while (found.length <= axis.axis.points) found.push(total);
      sums[key] = found;
    }
    return sums[key];
  };
  const value = ({ axis, log }, place) => {
    const part = place / axis.points;
    return log ? axis.low * (axis.high / axis.low) ** part : axis.low + (axis.high - axis.low) * part;
  };
  const part = ({ axis, log }, x) => {
    if (x <= 0 && log) return -1;
    return log ? Math.log(x / axis.low) / Math.log(axis.high / axis.low) : (x - axis.low) / (axis.high - axis.low);
  };
  const state = { subset: "test", from: figures[0], place: Number(slider.value) };
  const draw = () => {
    const faces = data.ced.faces[state.subset];
    for (const figure of figures) {
      const [left, top, width, height] = figure.axis.box;
      figure.curves.forEach((curve, cell) => {
        const path = totals(figure, state.subset, cell)
          .map((n, i) => `${(left + (width * i) / figure.axis.points).toFixed(1)} ${(top + height * (1 - n / faces)).toFixed(1)}`);
        curve.querySelector("path").setAttribute("d", `M${path.join("L")}`);
      });
    }
    read();
  };
  const read = () => {
    const faces = data.ced.faces[state.subset];
    const x = value(state.from, state.place);
    const text = x.toPrecision(3).replace(/\.?0+$/, "");
    byId("ced-at").textContent = `${text} %`;
    byId("ced-threshold").textContent = text;
    for (const { axis, cross, ...figure } of figures) {
      const at = part({ axis, ...figure }, x);
      cross.style.display = at < 0 || at > 1 ? "none" : "";
      for (const end of ["x1", "x2"]) cross.setAttribute(end, axis.box[0] + axis.box[2] * at);
    }
    const sorted = data.ced.cells.map((_, i) => [totals(state.from, state.subset, i)[state.place], i]);
    sorted.sort(([a, i], [b, j]) => b - a || i - j);
    for (const [n, i] of sorted) {
      rows[i].cells[1].firstChild.textContent = `${((100 * n) / faces).toFixed(1)} %`;
      body.append(rows[i]);
    }
  };
  const hot = (cell) => {
    for (const { svg, curves } of figures) {
      svg.classList.toggle("dim", cell !== null);
      curves.forEach((curve, i) => curve.classList.toggle("hot", i === cell));
    }
  };
  let last = "";
  for (const figure of figures) {
    figure.svg.addEventListener("pointermove", (event) => {
      // Scrolling moves the figure under a resting pointer. That must not change the values.
      const position = `${event.clientX} ${event.clientY}`;
      if (position === last) return;
      last = position;
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(figure.svg.getScreenCTM().inverse());
      const [left, top, width, height] = figure.axis.box;
      const at = Math.min(1, Math.max(0, (point.x - left) / width));
      state.from = figure;
      state.place = Math.round(at * figure.axis.points);
      if (!figure.log) slider.value = state.place;
      const share = 1 - (point.y - top) / height;
      const near = data.ced.cells
        .map((_, i) => [Math.abs(totals(figure, state.subset, i)[state.place] / data.ced.faces[state.subset] - share), i])
        .sort(([a], [b]) => a - b)[0];
      hot(near && near[0] < 0.04 ? near[1] : null);
      read();
    });
    figure.svg.addEventListener("pointerleave", () => hot(null));
  }
  rows.forEach((row, i) => {
    row.addEventListener("pointerenter", () => hot(i));
    row.addEventListener("pointerleave", () => hot(null));
  });
  slider.addEventListener("input", () => { state.from = figures[0]; state.place = Number(slider.value); read(); });
  chooser.addEventListener("change", () => { state.subset = data.ced.subsets[Number(chooser.value)]; draw(); });
  onFilter(() => {
    for (const curve of all("figure:not([data-axis]) .curve", holder)) {
      curve.style.display = visible[Number(curve.dataset.cell)] ? "" : "none";
    }
  });
  byId("ced-controls").hidden = false;
  state.place = Number(slider.max);
  slider.value = slider.max;
  read();
}
