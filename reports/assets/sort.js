// Sorting by column heads. Ties keep their first order. A table with several bodies is sorted by body, so that a row keeps
// its notes.
{
  const key = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
    if (raw === "" || raw === "–") return null;
    const value = Number(raw.replace("−", "-"));
    return Number.isNaN(value) ? raw : value;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const table of all("table.sortable")) {
    const groups = table.tBodies.length > 1 ? Array.from(table.tBodies) : Array.from(table.tBodies[0].rows);
    const parent = groups[0] && groups[0].parentNode;
    for (const button of all("thead button", table)) {
      const head = button.closest("th");
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of all("th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const keyed = groups.map((group, place) => [key(group.rows ? group.rows[0] : group, head.cellIndex), place, group]);
        keyed.sort(([a, i], [b, j]) => {
          if (a === null || b === null) return (a === null) - (b === null) || i - j;
          return (up ? compare(a, b) : compare(b, a)) || i - j;
        });
        for (const [, , group] of keyed) parent.append(group);
      });
    }
  }
}
