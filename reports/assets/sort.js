// Sorting by column heads. Ties keep their first order. A grouped table is sorted within its groups.
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
    for (const button of all("thead button", table)) {
      const head = button.closest("th");
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of all("th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        for (const body of table.tBodies) {
          const rows = Array.from(body.rows).filter((row) => !row.classList.contains("group"));
          const keyed = rows.map((row, place) => [key(row, head.cellIndex), place, row]);
          keyed.sort(([a, i], [b, j]) => {
            if (a === null || b === null) return (a === null) - (b === null) || i - j;
            return (up ? compare(a, b) : compare(b, a)) || i - j;
          });
          for (const [, , row] of keyed) body.append(row);
        }
      });
    }
  }
}
