"""What is wrong with the layout of a page: functions for ``page.evaluate``."""

# Elements that reach beyond the window, and overlapping texts of charts.
MISPLACED = """() => {
  const found = [];
  const name = (e) => `${e.tagName} ${e.getAttribute("class")} ${e.textContent.slice(0, 30)}`;
  const box = (e) => e.getBoundingClientRect();
  for (const e of document.body.querySelectorAll("*")) {
    if (e.closest(".scroll, .demo-scroll, .hidden, .skip") || !box(e).width) continue;
    if (box(e).left < -0.5 || box(e).right > innerWidth + 0.5) found.push(`outside: ${name(e)}`);
  }
  for (const svg of document.querySelectorAll("svg")) {
    const texts = [...svg.querySelectorAll("text")].filter((e) => box(e).width);
    texts.forEach((one, index) => texts.slice(index + 1).forEach((other) => {
      const [a, b] = [box(one), box(other)];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 4) found.push(`overlap: ${name(one)} and ${name(other)}`);
    }));
  }
  return found;
}"""

# Texts with a contrast to their background below 4.5 (WCAG 2.2, level AA).
FAINT = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const behind = (e) => e
    ? over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement))
    : { r: 255, g: 255, b: 255, a: 1 };
  const channel = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * channel(c.r) + 0.7152 * channel(c.g) + 0.0722 * channel(c.b);
  const found = [];
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && /[\\p{L}\\p{N}]/u.test(n.data));
    if (!own || !e.getClientRects().length || e.closest("script, style, noscript")) continue;
    const style = getComputedStyle(e);
    const ground = behind(e);
    const colour = over(parse(e.closest("svg") ? style.fill : style.color), ground);
    const [high, low] = [light(colour), light(ground)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${contrast} ${e.tagName} ${e.textContent.slice(0, 30)}`);
  }
  return found;
}"""

# Headings that are more than one level below the heading before them, and any h1 but the first.
SKIPPED_HEADINGS = """() => {
  const found = [];
  let before = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = Number(e.tagName[1]);
    if (level > before + 1 || (level === 1 && before)) found.push(`${e.tagName} ${e.textContent}`);
    before = level;
  }
  return before ? found : ["no heading"];
}"""
