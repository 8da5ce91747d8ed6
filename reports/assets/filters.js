// Filters by network, decoder, flip test and box: they hide rows and curves in all sections. Tabs that select a metric.
{
  const bar = byId("filters");
  if (bar) {
    const boxes = all("input", bar);
    const apply = () => {
      const allowed = {};
      for (const set of all("[data-filter]", bar)) {
        allowed[set.dataset.filter] = new Set(all("input:checked", set).map((input) => Number(input.value)));
      }
      data.cells.forEach((cell, i) => {
        visible[i] = Object.entries(allowed).every(([name, values]) => values.has(cell[name]));
      });
      for (const row of all("tr[data-cell]")) row.hidden = !visible[Number(row.dataset.cell)];
      const decoders = byId("decoders");
      for (const body of [...all("table.grouped tbody"), ...(decoders ? all("tbody", decoders) : [])]) {
        const rows = all("tr[data-cell]", body);
        body.hidden = rows.length > 0 && rows.every((row) => row.hidden);
      }
      const count = visible.filter(Boolean).length;
      byId("shown").textContent = `${count} of ${visible.length} cells shown`;
      for (const listener of listeners) listener();
    };
    bar.hidden = false;
    bar.addEventListener("change", apply);
    byId("all").addEventListener("click", () => { for (const box of boxes) box.checked = true; apply(); });
    apply();
  }
  const metrics = byId("metrics");
  if (metrics) {
    const show = () => {
      const chosen = metrics.querySelector(":checked").value;
      for (const table of all("[data-metric]")) table.hidden = table.dataset.metric !== chosen;
    };
    metrics.hidden = false;
    metrics.addEventListener("change", show);
    show();
  }
}
