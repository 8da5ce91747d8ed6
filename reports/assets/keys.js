// Keyboard: Tab reaches the numbers of a table as one stop, arrow keys move between the numbers.
for (const table of all("table.cells")) {
  const links = () => all("tbody tr:not([hidden])", table).map((row) => all("a[data-show]", row)).filter((row) => row.length);
  const flat = links().flat();
  flat.forEach((link, i) => { link.tabIndex = i ? -1 : 0; });
  table.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const move = moves[event.key];
    const link = event.target.closest("a[data-show]");
    if (!move || !link) return;
    const grid = links();
    const row = grid.findIndex((candidates) => candidates.includes(link));
    const next = (grid[row + move[0]] || [])[grid[row].indexOf(link) + move[1]];
    if (!next) return;
    event.preventDefault();
    link.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  onFilter(() => {
    const shown = links().flat();
    if (shown.length && !shown.some((link) => link.tabIndex === 0)) shown[0].tabIndex = 0;
  });
}
