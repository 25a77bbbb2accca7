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
// A number leads to its cases, the worst first; a dot to its case.
const casesOf = (id) => {
  const table = document.getElementById(id);
  for (let part = table; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  return [table, document.querySelector(`.tools[data-table="${id}"]`)];
};
const put = (input, value) => {
  if (input) { input.value = value; input.dispatchEvent(new Event("input")); }
};
for (const link of document.querySelectorAll("a[data-by]")) {
  link.addEventListener("click", () => {
    const [table, tools] = casesOf(link.getAttribute("href").slice(1));
    put(tools.querySelector("select"), link.dataset.kind);
    put(tools.querySelector("input"), "");
    const head = table.querySelector(`th[data-measure="${link.dataset.by}"]`);
    if (!head) return;
    const worst = head.dataset.better === "higher" ? "ascending" : "descending";
    for (let i = 0; i < 2 && head.getAttribute("aria-sort") !== worst; i++) head.click();
  });
}
for (const card of document.querySelectorAll("[data-cases]")) {
  for (const dot of card.querySelectorAll("circle")) {
    const title = dot.querySelector("title");
    if (!title) continue;
    dot.style.cursor = "pointer";
    dot.addEventListener("click", () => {
      const [table, tools] = casesOf(card.dataset.cases);
      put(tools.querySelector("input"), title.textContent.split(/[,:] /)[0]);
      table.scrollIntoView({ block: "center" });
    });
  }
}
// Slices: a slider for each axis, so that arrow keys work; the wheel does, too.
for (const part of document.querySelectorAll("details.slices")) {
  const over = part.querySelector(".over input");
  const shows = [...part.querySelectorAll(".plane")].map((plane) => {
    const { width, height, columns } = plane.dataset, places = plane.dataset.places.split(" ");
    const canvas = plane.querySelector("canvas"), slider = plane.querySelector("input");
    const sheets = [], ink = canvas.getContext("2d");
    const show = () => {
      const n = Number(slider.value), x = (n % columns) * width, y = Math.floor(n / columns) * height;
      ink.clearRect(0, 0, canvas.width, canvas.height);
      sheets.forEach((sheet, number) => {
        if (number && !over.checked) return;
        ink.imageSmoothingEnabled = !number;
        ink.drawImage(sheet, x, y, width, height, 0, 0, canvas.width, canvas.height);
      });
      plane.querySelector("output").textContent = places[n];
    };
    slider.addEventListener("input", show);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      slider.value = Number(slider.value) + Math.sign(event.deltaY);
      show();
    }, { passive: false });
    return async () => {
      for (const name of sheets.length ? [] : ["image", "painted"]) {
        const sheet = new Image();
        sheet.src = plane.dataset[name];
        await sheet.decode();
        sheets.push(sheet);
      }
      show();
    };
  });
  const all = () => { if (part.open) shows.forEach((show) => show()); };
  part.addEventListener("toggle", all);
  over.addEventListener("input", all);
}
// A picture, large: the wheel or + and - come nearer, dragging or arrows move, Escape closes.
const glass = document.createElement("dialog");
glass.className = "glass";
glass.append(document.createElement("img"), document.createElement("p"));
document.body.append(glass);
const large = glass.firstChild;
glass.lastChild.textContent = "wheel or + − : nearer, farther · drag or arrows: move · 0: whole · Esc: close";
let scale = 1, left = 0, up = 0;
const place = () => { large.style.transform = `translate(${left}px, ${up}px) scale(${scale})`; };
const nearer = (by, x = innerWidth / 2, y = innerHeight / 2) => {
  const now = Math.min(20, Math.max(1, scale * by));
  const box = large.getBoundingClientRect(), share = now / scale - 1;
  left -= (x - box.left - box.width / 2) * share;
  up -= (y - box.top - box.height / 2) * share;
  scale = now;
  place();
};
const whole = () => { scale = 1; left = up = 0; place(); };
const open = (picture) => {
  large.src = picture.src;
  large.alt = picture.alt;
  whole();
  glass.showModal();
};
for (const picture of document.querySelectorAll("img.zoom")) {
  picture.tabIndex = 0;
  picture.setAttribute("role", "button");
  picture.addEventListener("click", () => open(picture));
  picture.addEventListener("keydown", (event) => { if (event.key === "Enter") open(picture); });
}
glass.addEventListener("wheel", (event) => {
  event.preventDefault();
  nearer(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX, event.clientY);
}, { passive: false });
glass.addEventListener("pointermove", (event) => {
  if (!event.buttons) return;
  left += event.movementX;
  up += event.movementY;
  place();
});
glass.addEventListener("dragstart", (event) => event.preventDefault());
glass.addEventListener("click", (event) => { if (event.target === glass) glass.close(); });
glass.addEventListener("keydown", (event) => {
  const keys = {
    "+": () => nearer(1.25), "=": () => nearer(1.25), "-": () => nearer(0.8), "0": whole,
    ArrowLeft: () => { left += 60; place(); }, ArrowRight: () => { left -= 60; place(); },
    ArrowUp: () => { up += 60; place(); }, ArrowDown: () => { up -= 60; place(); },
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
// While something is trained the page is written again and again.
const live = Number(document.body.dataset.reload);
if (live) setInterval(() => { if (!document.hidden && !glass.open) location.reload(); }, 1000 * live);
// Paper cannot be clicked on.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
