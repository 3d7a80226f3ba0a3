"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // The images of a cell of the confusion matrix.
  const showCell = (matrix, button) => {
    const section = matrix.dataset.section;
    const [label, prediction] = button.dataset.cell
      .split("-")
      .map((index) => data.names[section][index]);
    const cell = data.cells[section][button.dataset.cell] || { count: 0, images: [] };
    const correct = label === prediction;
    for (const other of matrix.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
    const shown = cell.images.length;
    const title = correct ? `${label} classified correctly` : `${label} read as ${prediction}`;
    const count = `${cell.count.toLocaleString("en")} image${cell.count === 1 ? "" : "s"}`;
    const which = `the ${shown} ${correct ? "least" : "most"} confident are shown`;
    const pictures = cell.images.map(([index, probability, picture]) =>
      element(
        "li",
        {},
        element("img", {
          className: "digit",
          src: `data:image/webp;base64,${picture}`,
          width: 56,
          height: 56,
          alt: `Test image ${index}, labelled ${label}, read as ${prediction} with ${probability}`,
          title: `test image ${index}`,
        }),
        element("span", { textContent: probability, ariaHidden: "true" }),
      ),
    );
    document.getElementById(`${section}-gallery`).replaceChildren(
      element(
        "p",
        {},
        element("b", { textContent: title }),
        ` ${count}${shown < cell.count ? `; ${which}` : ""}`,
      ),
      element("ul", { className: "pictures" }, ...pictures),
    );
  };

  const moves = {
    ArrowLeft: ([row, column]) => [row, column - 1],
    ArrowRight: ([row, column]) => [row, column + 1],
    ArrowUp: ([row, column]) => [row - 1, column],
    ArrowDown: ([row, column]) => [row + 1, column],
    Home: ([row]) => [row, 0],
    End: ([row], last) => [row, last],
  };

  for (const matrix of document.querySelectorAll(".matrix[data-section]")) {
    const last = data.names[matrix.dataset.section].length - 1;
    const find = (row, column) => matrix.querySelector(`[data-cell="${row}-${column}"]`);
    const wrong = Object.entries(data.cells[matrix.dataset.section])
      .filter(([key]) => new Set(key.split("-")).size === 2)
      .sort((one, other) => other[1].count - one[1].count);
    const first = wrong.length ? wrong[0][0] : "0-0";
    showCell(matrix, matrix.querySelector(`[data-cell="${first}"]`));
    matrix.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) showCell(matrix, button);
    });
    matrix.addEventListener("keydown", (event) => {
      const button = event.target.closest("button");
      if (!button || !moves[event.key]) return;
      event.preventDefault();
      const next = find(...moves[event.key](button.dataset.cell.split("-").map(Number), last));
      if (!next) return;
      next.focus();
      showCell(matrix, next);
    });
  }

  // The values under the pointer.
  for (const figure of document.querySelectorAll("[data-curve]")) {
    const { epochs, positions, ends, series } = data.curves[figure.dataset.curve];
    const svg = figure.querySelector("svg");
    const cursor = document.createElementNS(svg.namespaceURI, "path");
    cursor.setAttribute("class", "cursor");
    svg.append(cursor);
    const reading = figure.querySelector(".reading");
    const note = reading.textContent;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const near = positions.reduce(
        (best, place, index) => (Math.abs(place - at) < Math.abs(positions[best] - at) ? index : best),
        0,
      );
      cursor.setAttribute("d", `M${positions[near]} ${ends[0]}V${ends[1]}`);
      const values = series
        .filter((line) => line.values[epochs[near]] !== undefined)
        .map((line) => (series.length > 1 ? `${line.name} ` : "") + line.values[epochs[near]]);
      reading.textContent = `epoch ${epochs[near]}: ${values.join(", ")}`;
    });
    svg.addEventListener("pointerleave", () => {
      cursor.removeAttribute("d");
      reading.textContent = note;
    });
  }

  // A link into a folded part unfolds it; print shows every model.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".model:not([open])")];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
  });
})();
