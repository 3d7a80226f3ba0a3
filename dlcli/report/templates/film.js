"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const SHADES = 4;
  const MILLISECONDS = 500;

  const cell = (name, text, className = "") =>
    Object.assign(document.createElement(name), { textContent: text, className });

  // A long name is cut off by the style: the title has all of it.
  const heading = (name) => Object.assign(cell("th", name), { title: name });

  // The shade of a cell as in the matrix of the test images.
  const shade = (count, isDiagonal, most) => {
    if (isDiagonal) return "correct";
    return count ? `h${Math.max(1, Math.ceil((SHADES * Math.log1p(count)) / Math.log1p(most)))}` : "none";
  };

  const fill = (table, confusion, names, most) => {
    const head = document.createElement("tr");
    head.append(cell("td", ""), ...names.map(heading));
    const rows = confusion.map((counts, label) => {
      const row = document.createElement("tr");
      row.append(
        heading(names[label]),
        ...counts.map((count, read) => cell("td", count || "·", shade(count, label === read, most))),
      );
      return row;
    });
    table.replaceChildren(head, ...rows);
  };

  for (const film of document.querySelectorAll("[data-film]")) {
    const { frames, most, start } = data.films[film.dataset.film];
    const names = data.names[film.dataset.film];
    const [play, slider, output] = film.querySelectorAll("button, input, output");
    const picture = film.querySelector("img");
    const table = film.querySelector("table");
    const known = frames.find((frame) => frame.confusion);
    let timer = 0;

    const show = (index) => {
      const { epoch, picture: content, confusion, accuracy } = frames[index];
      const scored = accuracy === null ? "" : `, ${(100 * accuracy).toFixed(2)} % right`;
      slider.value = index;
      output.textContent = `${epoch ? `epoch ${epoch}` : start}${scored}`;
      slider.setAttribute("aria-valuetext", output.textContent);
      picture.src = `data:image/webp;base64,${content}`;
      picture.alt = picture.alt.replace(/ after .*/, ` after epoch ${epoch}`);
      // Before the first epoch nothing was read: the matrix keeps its place, empty.
      if (table) fill(table, confusion || known.confusion.map((row) => row.map(() => 0)), names, most);
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const advance = () => {
      const next = Number(slider.value) + 1;
      if (next < frames.length) show(next);
      if (next >= frames.length - 1) stop();
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (Number(slider.value) === frames.length - 1) show(0);
      play.textContent = "Pause";
      timer = setInterval(advance, MILLISECONDS);
    });
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    film.querySelector(".film-controls").hidden = false;
    show(frames.length - 1);
  }
})();
