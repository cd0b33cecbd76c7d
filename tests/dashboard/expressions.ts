/** What tests ask of the page, as expressions of its own language. */

/** The path of the first line of a plot. */
export function lineOf(title: string): string {
  return `[...document.querySelectorAll(".plot")].find((plot) =>
    plot.querySelector("h3").textContent === ${JSON.stringify(title)}
  )?.querySelector(".plot-area .plot-line")?.getAttribute("d")`;
}

/** What stands beside a name among the facts of a driver. */
export function factOf(name: string): string {
  return `[...document.querySelectorAll(".facts dt")].find((one) =>
    one.textContent === ${JSON.stringify(name)})?.nextSibling.textContent`;
}

/** What makes a page wider than its window. */
export const OVERFLOW = `document.scrollingElement.scrollWidth - innerWidth`;

/** What a person who hears the page, or uses its keys, would miss. */
export const MISSING = `(() => {
  const found = [];
  const named = (one) => (one.getAttribute("aria-label") ??
    (one.labels?.length ? one.labels[0].textContent : "") ??
    "") || one.textContent.trim();
  const seen = (one) => one.checkVisibility();
  for (const one of document.querySelectorAll(
    "a, button, input, select, textarea, [tabindex='0']")) {
    if (seen(one) && !named(one)) found.push("no name: " + one.outerHTML);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  if (new Set(ids).size < ids.length) found.push("an id twice: " + ids);
  for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
    for (const one of document.querySelectorAll("[" + name + "]")) {
      for (const id of one.getAttribute(name).split(" ")) {
        if (!ids.includes(id)) found.push(name + " leads nowhere: " + id);
      }
    }
  }
  for (const landmark of ["header", "main"]) {
    const count = document.querySelectorAll(landmark).length;
    if (count !== 1) found.push(count + " of " + landmark);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3")].filter(seen)
    .map((one) => Number(one.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) {
    found.push("not one h1");
  }
  levels.reduce((before, level) => {
    if (level > before + 1) found.push("h" + before + " then h" + level);
    return level;
  }, 0);
  for (const table of document.querySelectorAll("table")) {
    if (!table.querySelector("th[scope=col]")) found.push("a table without heads");
  }
  return found;
})()`;

/** What a hostile text became besides text, and what of it would hide or turn others. */
export const HARMED = `(() => {
  const found = [];
  if (globalThis.owned !== undefined) found.push("it ran");
  const markup = "img, iframe, script:not([src]), b b, main script";
  for (const one of document.querySelectorAll(markup)) {
    found.push(one.outerHTML);
  }
  const unsafe = /[\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]/u;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (unsafe.test(walker.currentNode.data)) {
      found.push(JSON.stringify(walker.currentNode.data));
    }
  }
  return found;
})()`;
