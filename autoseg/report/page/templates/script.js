"use strict";
// Click on a heading: sort by it; again: the other way round. Empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const x = Number(a), y = Number(b);
        const order = Number.isNaN(x) || Number.isNaN(y)
          ? a.localeCompare(b, undefined, { numeric: true }) : x === y ? 0 : x - y;
        return up ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
// A class and words choose the rows of a table.
for (const tools of document.querySelectorAll(".tools[data-table]")) {
  const body = document.getElementById(tools.dataset.table).tBodies[0];
  const kind = tools.querySelector("select"), words = tools.querySelector("input");
  const choose = () => {
    const wanted = words ? words.value.trim().toLowerCase() : "";
    for (const row of body.rows) {
      const fits = !kind || kind.value === "" || row.dataset.kind === kind.value;
      row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
    }
  };
  for (const input of [kind, words]) if (input) input.addEventListener("input", choose);
  choose();
}
// Paper cannot be clicked on.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
