const FILTERED_FROM = 8; // rows

function valueOf(row, column, isNumber) {
  const text = row.cells[column].textContent.trim();
  return isNumber ? parseFloat(text.replace("\u2212", "-").replace(/[,+]/g, "")) : text.toLowerCase();
}

function sortBy(table, heads, column) {
  const head = heads[column], isNumber = head.classList.contains("number");
  const falling = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : isNumber;
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const compare = (a, b) => {
    const [x, y] = [valueOf(a, column, isNumber), valueOf(b, column, isNumber)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return (x < y ? -1 : x > y ? 1 : 0) * (falling ? -1 : 1);
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

function addFilter(table) {
  const rows = [...table.tBodies[0].rows];
  const field = document.createElement("input"), count = document.createElement("span");
  field.type = "search";
  field.placeholder = "Filter rows";
  field.setAttribute("aria-label", `Filter rows of ${table.dataset.caption}`);
  count.className = "count";
  count.setAttribute("role", "status");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  const bar = document.createElement("p");
  bar.className = "filter";
  bar.append(field, count);
  table.parentElement.before(bar);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, heads, column));
  });
  if (table.tBodies[0].rows.length >= FILTERED_FROM) addFilter(table);
}
