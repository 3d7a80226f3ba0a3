"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const sheet = document.getElementById("map-sheet");
  const SIDE = 28;

  for (const map of document.querySelectorAll("[data-map]")) {
    const names = data.names[map.dataset.map];
    const { labels } = data.map;
    const predictions = data.map.predictions[map.dataset.map];
    const svg = map.querySelector("svg");
    const points = [...svg.querySelectorAll("circle")];
    const places = points.map((point) => [point.cx.baseVal.value, point.cy.baseVal.value]);
    const canvas = map.querySelector("canvas");
    const reading = map.querySelector(".reading");
    let shown = -1;
    let only = null;

    const isVisible = (index) => only === null || labels[index] === only;
    const show = (index) => {
      if (index === shown) return;
      points[shown]?.classList.remove("shown");
      points[index].classList.add("shown");
      shown = index;
      canvas.hidden = false;
      const columns = sheet.naturalWidth / SIDE;
      const [x, y] = [index % columns, Math.floor(index / columns)];
      const context = canvas.getContext("2d");
      context.drawImage(sheet, SIDE * x, SIDE * y, SIDE, SIDE, 0, 0, SIDE, SIDE);
      const read = predictions[index];
      const right = read === labels[index] ? "read correctly" : `read as ${names[read]}`;
      reading.textContent = `Test image ${index}: ${names[labels[index]]}, ${right}`;
    };

    const toPointer = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      let nearest = -1;
      let least = Infinity;
      places.forEach((place, index) => {
        const distance = Math.hypot(place[0] - x, place[1] - y);
        if (isVisible(index) && distance < least) [nearest, least] = [index, distance];
      });
      if (nearest >= 0) show(nearest);
    };
    svg.addEventListener("pointermove", toPointer);
    svg.addEventListener("pointerdown", toPointer);

    // From the left to the right, dot by dot.
    const order = points.map((_, index) => index).sort((a, b) => places[a][0] - places[b][0]);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 };
    svg.addEventListener("keydown", (event) => {
      if (!steps[event.key]) return;
      event.preventDefault();
      const visible = order.filter(isVisible);
      const at = visible.indexOf(shown);
      const next = at < 0 ? 0 : at + steps[event.key];
      if (visible[next] !== undefined) show(visible[next]);
    });

    map.querySelector(".legend").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const chosen = Number(button.dataset.class);
      only = only === chosen ? null : chosen;
      for (const other of map.querySelectorAll(".legend button")) {
        other.setAttribute("aria-pressed", String(Number(other.dataset.class) === only));
      }
      points.forEach((point, index) => point.classList.toggle("faint", !isVisible(index)));
    });
  }
})();
