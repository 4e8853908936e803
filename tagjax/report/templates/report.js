"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const element = (name, properties, ...children) => {
    const created = Object.assign(document.createElement(name), properties);
    created.append(...children);
    return created;
  };

  // Tables: a click on a heading sorts the rows, with empty cells last. The search hides rows.
  const number = (text) => (text === "never" ? Infinity : Number.parseFloat(text.replace(/^[<>]/, "")));
  const compare = (first, second, numeric, sign) => {
    const [x, y] = numeric ? [number(first), number(second)] : [first, second];
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

  // Decisions: the search leaves the rows that are about a matching tag, and what is above them.
  const filter = document.querySelector("#filter");
  const about = all(".found tbody tr, .found .tree li, .found .card").map((part) => [
    part, all(".tag", part).map((tag) => (tag.title || tag.textContent).toLowerCase()),
  ]);
  filter?.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const [part, names] of about) {
      part.hidden = wanted !== "" && !names.some((name) => name.includes(wanted));
      shown += !part.hidden;
    }
    for (const listing of all(".found .listing")) {
      const parts = all("tbody tr, .tree li, .card", listing);
      const left = parts.filter((part) => !part.hidden).length;
      const count = listing.querySelector(".count");
      if (count) {
        count.textContent = left === parts.length ? `${left} rows` : `${left} of ${parts.length} rows`;
      }
      listing.hidden = parts.length > 0 && left === 0;
    }
    for (const section of all(".found")) {
      section.hidden = all(".listing", section).every((listing) => listing.hidden);
    }
    document.querySelector("#matches").textContent =
      wanted === "" ? "" : shown ? `${shown} found` : "nothing found";
    const onMap = document.querySelector("#find");
    if (onMap) {
      onMap.value = filter.value;
      onMap.dispatchEvent(new Event("input"));
    }
  });

  // One tooltip for all figures. Each line is text and has its own writing direction.
  const tooltip = element("div", { id: "tooltip", hidden: true });
  document.body.append(tooltip);
  const showTooltip = (event, lines) => {
    tooltip.hidden = !lines;
    if (!lines) return;
    tooltip.replaceChildren(...lines.map((text) => element("div", { textContent: text })));
    const { width, height } = tooltip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 4);
    const below = event.clientY + 18;
    const top = below + height > window.innerHeight ? event.clientY - height - 10 : below;
    tooltip.style.left = `${Math.max(left, 4)}px`;
    tooltip.style.top = `${Math.max(top, 4)}px`;
  };

  // Heat maps: the upper triangle of the numbers, row by row.
  const heatMap = (data) => {
    const bytes = Uint8Array.from(atob(data.cells), (letter) => letter.charCodeAt(0));
    const cells = new DataView(bytes.buffer);
    const n = data.names.length;
    return (across, down) => {
      const [x, y] = [Math.floor(across * n), Math.floor(down * n)];
      const [i, j] = [Math.min(x, y), Math.max(x, y)];
      if (i < 0 || j >= n) return null;
      const value = cells.getInt16(2 * (i * n - (i * (i - 1)) / 2 + j - i), true);
      const text = value === -32768 ? "no similarity" : (value / data.scale).toFixed(3);
      return [data.names[y], data.names[x], text];
    };
  };

  // The view of a figure is the part that is shown.
  const zoomable = (svg) => {
    const whole = svg.getAttribute("viewBox").split(" ").map(Number);
    let view = [...whole];
    const set = (x, y, size) => {
      const [x0, y0, width, height] = whole;
      const scale = Math.min(Math.max(size, 0.02), 1);
      const [w, h] = [width * scale, height * scale];
      view = [
        Math.min(Math.max(x, x0), x0 + width - w),
        Math.min(Math.max(y, y0), y0 + height - h), w, h,
      ];
      svg.setAttribute("viewBox", view.join(" "));
      svg.classList.toggle("zoomed", scale < 1);
    };
    const size = () => view[2] / whole[2];
    const perPixel = () => view[2] / svg.getBoundingClientRect().width;
    return {
      zoomed: () => size() < 1,
      whole: () => set(whole[0], whole[1], 1),
      move: (x, y) => set(view[0] - x * perPixel(), view[1] - y * perPixel(), size()),
      zoom: (by, event) => {
        const box = svg.getBoundingClientRect();
        const across = event ? (event.clientX - box.left) / box.width : 0.5;
        const down = event ? (event.clientY - box.top) / box.height : 0.5;
        const next = Math.min(size() * by, 1);
        set(
          view[0] + across * (view[2] - whole[2] * next),
          view[1] + down * (view[3] - whole[3] * next), next,
        );
      },
    };
  };

  // Saves the part of a figure that is shown.
  const save = async (figure, kind) => {
    const svg = figure.querySelector("svg").cloneNode(true);
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const size = 2400 / Math.max(width, height);
    svg.setAttribute("width", width * size);
    svg.setAttribute("height", height * size);
    for (const hidden of all(".hidden, .unnamed", svg)) hidden.remove();
    for (const faint of all(".faint", svg)) faint.style.opacity = 0.12;
    const text = new XMLSerializer().serializeToString(svg);
    let url = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    if (kind === "png") {
      const image = element("img", { src: url });
      await image.decode();
      const canvas = element("canvas", { width: width * size, height: height * size });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      url = canvas.toDataURL("image/png");
    }
    element("a", { href: url, download: `figure.${kind}` }).click();
  };

  const prepare = (figure) => {
    const svg = figure.querySelector("svg");
    const view = zoomable(svg);
    const zooms = ["map", "heat"].includes(figure.dataset.kind);
    for (const title of all("title", svg)) {
      title.parentNode.about = title.textContent.split("\n");
      title.remove(); // Otherwise the browser shows its own tooltip, too.
    }

    const image = svg.querySelector("[data-part=cells]");
    const data = figure.nextElementSibling;
    const cell = image && data?.matches("script") ? heatMap(JSON.parse(data.textContent)) : null;
    const lines = (event) => {
      let place = event.target;
      while (place !== svg && !place.about) place = place.parentNode;
      if (place !== svg || !cell) return place.about;
      const box = image.getBoundingClientRect();
      return cell((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };

    // A click on a key of the legend hides its series. A double click hides all others.
    const hidden = new Set();
    const series = new Set(all("[data-part=key]", svg).map((key) => key.dataset.series));
    const showSeries = () => {
      for (const part of all("[data-series]", svg)) {
        const off = hidden.has(part.dataset.series);
        part.classList.toggle(part.dataset.part === "key" ? "off" : "hidden", off);
      }
    };
    svg.addEventListener("click", (event) => {
      const key = event.target.closest("[data-part=key]")?.dataset.series;
      if (key === undefined) return;
      if (!hidden.delete(key)) hidden.add(key);
      showSeries();
    });
    svg.addEventListener("dblclick", (event) => {
      event.preventDefault();
      const key = event.target.closest("[data-part=key]")?.dataset.series;
      if (key === undefined) {
        view.whole();
        return;
      }
      const alone = hidden.size === series.size - 1 && !hidden.has(key);
      hidden.clear();
      if (!alone) for (const other of series) if (other !== key) hidden.add(other);
      showSeries();
    });

    if (zooms) svg.addEventListener("wheel", (event) => {
      if (event.deltaY > 0 && !view.zoomed()) return; // Then the page scrolls.
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 30);
      view.zoom(Math.exp(Math.min(Math.max(pixels, -100), 100) / 300), event);
    }, { passive: false });
    let held = null; // The last event of a drag.
    svg.addEventListener("pointerdown", (event) => {
      if (zooms && event.pointerType !== "touch" && event.button === 0) held = event;
      showTooltip(event, lines(event));
    });
    svg.addEventListener("pointermove", (event) => {
      if (!held || !event.buttons) {
        showTooltip(event, lines(event));
        return;
      }
      const [x, y] = [event.clientX - held.clientX, event.clientY - held.clientY];
      if (!svg.hasPointerCapture(event.pointerId)) {
        if (Math.hypot(x, y) < 4) return; // It may still be a click.
        svg.setPointerCapture(event.pointerId);
      }
      view.move(x, y);
      held = event;
      showTooltip(event, null);
    });
    for (const over of ["pointerup", "pointercancel"]) {
      svg.addEventListener(over, () => { held = null; });
    }
    svg.addEventListener("pointerleave", (event) => showTooltip(event, null));

    const button = (textContent, title, action) => {
      const created = element("button", { type: "button", textContent, title });
      created.addEventListener("click", action);
      return created;
    };
    figure.prepend(element(
      "div", { className: "buttons" },
      ...(zooms ? [
        button("+", "Zoom in", () => view.zoom(0.67)),
        button("−", "Zoom out", () => view.zoom(1.5)),
      ] : []),
      button("PNG", "Save as PNG", () => save(figure, "png")),
      button("SVG", "Save as SVG", () => save(figure, "svg")),
    ));
    figure.dataset.ready = "";
  };

  // Maps: the search shows the matching tags, and the box shows all names.
  const find = document.querySelector("#find");
  const labels = document.querySelector("#labels");
  if (labels && window.innerWidth < 800) labels.checked = false; // They would be illegible.
  const update = (figure) => {
    const wanted = find.value.trim().toLowerCase();
    for (const part of all("[data-tag]", figure)) {
      const found = wanted !== "" && part.dataset.tag.toLowerCase().includes(wanted);
      const { part: kind, level } = part.dataset;
      part.classList.toggle("faint", wanted !== "" && !found);
      const named = wanted === "" ? labels.checked || level === "genre" : found;
      if (kind !== "marker") part.classList.toggle("unnamed", !named);
    }
  };
  const maps = () => all(".figure[data-kind=map][data-ready]");
  for (const control of [find, labels]) {
    control?.addEventListener("input", () => maps().forEach(update));
  }

  // One embedding is shown at a time. A figure is prepared when it is first shown.
  const radios = all("input[name=embedding]");
  const show = () => {
    const radio = radios.find((candidate) => candidate.checked);
    for (const part of all(".panel")) part.hidden = radio && part.dataset.embedding !== radio.value;
    if (radio) for (const name of all(".which")) name.textContent = radio.dataset.name;
    for (const figure of all(".panel:not([hidden]) > .figure:not([data-ready])")) {
      prepare(figure);
      if (figure.dataset.kind === "map") update(figure);
    }
  };
  radios.forEach((radio) => radio.addEventListener("change", show));
  show();
})();
