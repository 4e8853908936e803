"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Tables: a click on a heading sorts, empty cells last; the search hides rows.
  const number = (text) => (text === "never" ? Infinity : Number.parseFloat(text));
  const compare = (one, other, numeric, sign) => {
    const [x, y] = numeric ? [number(one), number(other)] : [one, other];
    const [noX, noY] = numeric ? [Number.isNaN(x), Number.isNaN(y)] : [x === "–", y === "–"];
    if (noX || noY) return noX - noY;
    if (numeric) return x === y ? 0 : sign * (x < y ? -1 : 1);
    return sign * x.localeCompare(y);
  };
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const heads = all("th", table.tHead);
    const text = (row, i) => row.cells[i].textContent.trim();
    heads.forEach((head, column) => {
      const numeric = head.classList.contains("n");
      head.querySelector("button")?.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [text(row, column), row]);
        rows.sort((a, b) => compare(a[0], b[0], numeric, up ? 1 : -1));
        body.append(...rows.map(([, row]) => row));
      });
    });
    const tools = table.closest(".listing").querySelector(".tools");
    const searched = table.dataset.searched?.split(" ");
    tools.querySelector("input")?.addEventListener("input", (event) => {
      const wanted = event.target.value.trim().toLowerCase();
      let shown = 0;
      for (const row of body.rows) {
        const cells = searched ? searched.map((i) => row.cells[i]) : [...row.cells];
        row.hidden = !cells.some((cell) => cell.textContent.toLowerCase().includes(wanted));
        shown += !row.hidden;
      }
      const total = body.rows.length;
      tools.querySelector(".count").textContent =
        shown === total ? `${total} rows` : `${shown} of ${total} rows`;
    });
  }

  // Figures: drawn when their embedding is first shown.
  const find = document.querySelector("#find");
  const labels = document.querySelector("#labels");
  const NO_LABEL = "\u00a0"; // Plotly does not bring back a text that was empty
  const cells = (figure) => {
    const bytes = Uint8Array.from(atob(figure.cells), (letter) => letter.charCodeAt(0));
    const flat = new Int16Array(bytes.buffer);
    const values = Array.from(flat, (cell) => (cell === -32768 ? null : cell / figure.scale));
    const n = figure.data[0].x.length;
    return figure.data[0].x.map((_, i) => values.slice(i * n, (i + 1) * n));
  };
  const plot = (place) => {
    const figure = JSON.parse(place.nextElementSibling.textContent);
    const { kind } = place.dataset;
    if (kind === "heat") figure.data[0].z = cells(figure);
    const config = { displaylogo: false, responsive: kind !== "heat", scrollZoom: kind === "map" };
    config.modeBarButtonsToRemove = ["sendChartToCloud", "select2d", "lasso2d"];
    config.plotlyServerURL = "";
    return Plotly.newPlot(place, figure.data, figure.layout, config);
  };
  const update = (place) => {
    const wanted = find.value.trim().toLowerCase();
    const traces = place.data;
    const found = traces.map((trace) =>
      trace.customdata.map(([tag], i) => (tag.toLowerCase().includes(wanted) ? i : -1))
        .filter((i) => i >= 0));
    place.usual ??= traces.map((trace) => trace.text);
    const text = traces.map((trace, t) => (wanted || labels.checked
      ? trace.customdata.map(([, label], i) => (!wanted || found[t].includes(i) ? label : NO_LABEL))
      : place.usual[t]));
    const selectedpoints = found.map((points) => (wanted ? points : null));
    return Plotly.restyle(place, { text, selectedpoints });
  };
  const maps = () => all(".figure[data-kind=map]").filter((place) => place.data);
  for (const control of [find, labels]) {
    control?.addEventListener("input", () => maps().forEach(update));
  }

  // One embedding at a time.
  const radios = all("input[name=embedding]");
  const show = () => {
    const radio = radios.find((one) => one.checked);
    for (const one of all(".one")) one.hidden = radio && one.dataset.embedding !== radio.value;
    if (radio) for (const one of all(".which")) one.textContent = radio.dataset.name;
    for (const place of all(".one:not([hidden]) > .figure")) {
      if (!place.data) Promise.resolve(plot(place)).then(() => {
        if (place.dataset.kind === "map" && (find.value || labels.checked)) update(place);
      });
    }
  };
  radios.forEach((radio) => radio.addEventListener("change", show));
  show();
})();
