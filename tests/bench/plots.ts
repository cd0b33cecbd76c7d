/** SVG plots from the bench's data: lines over a few named points, on a logarithmic scale. */

/** One line of a plot. */
export interface Series {
  readonly name: string;
  /** One for each point; `undefined` where nothing was measured. */
  readonly values: readonly (number | undefined)[];
}

/** What to draw. */
export interface Plot {
  readonly title: string;
  readonly points: readonly string[];
  readonly axis: string;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 210;
const TOP = 40;
const BOTTOM = 40;
/** Told apart in print and by most who see colours differently (Okabe and Ito). */
const COLOURS = [
  "#000000",
  "#0072b2",
  "#56b4e9",
  "#d55e00",
  "#e69f00",
  "#009e73",
  "#cc79a7",
] as const;

/** The plot as a document. */
export function svg(plot: Plot): string {
  const all = plot.series.flatMap((s) => s.values).filter(isPositive);
  const low = Math.floor(Math.log10(Math.min(...all)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...all))), low + 1);
  const x = (index: number): number =>
    LEFT + (WIDTH - LEFT - RIGHT) *
      (plot.points.length === 1 ? 0.5 : index / (plot.points.length - 1));
  const y = (value: number): number =>
    HEIGHT - BOTTOM -
    (HEIGHT - TOP - BOTTOM) * (Math.log10(value) - low) / (high - low);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 20, plot.title, 'font-size="14" font-weight="bold"'),
    text(LEFT, TOP - 6, plot.axis, 'fill="#555555"'),
  ];
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power);
    lines.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(at)}" y2="${
        n(at)
      }" stroke="#dddddd"/>`,
      text(LEFT - 6, at + 4, label(10 ** power), 'text-anchor="end"'),
    );
  }
  plot.points.forEach((point, index) =>
    lines.push(
      text(x(index), HEIGHT - BOTTOM + 18, point, 'text-anchor="middle"'),
    )
  );
  plot.series.forEach((series, index) =>
    lines.push(...drawn(series, { index, x, y }))
  );
  lines.push("</svg>", "");
  return lines.join("\n");
}

function drawn(
  series: Series,
  at: {
    readonly index: number;
    readonly x: (index: number) => number;
    readonly y: (value: number) => number;
  },
): string[] {
  const colour = COLOURS[at.index % COLOURS.length] ?? "#000000";
  const points = series.values.flatMap((value, index) =>
    isPositive(value) ? [[at.x(index), at.y(value)] as const] : []
  );
  const path = points.map(([px, py]) => `${n(px)},${n(py)}`).join(" ");
  const legendY = TOP + 18 * at.index;
  const legendX = WIDTH - RIGHT + 16;
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...points.map(([px, py]) =>
      `<circle cx="${n(px)}" cy="${n(py)}" r="3" fill="${colour}"/>`
    ),
    `<rect x="${legendX}" y="${legendY}" width="12" height="4" fill="${colour}"/>`,
    text(legendX + 18, legendY + 6, series.name),
  ];
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value > 0;
}

function n(value: number): string {
  return value.toFixed(1);
}

function label(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`;
  if (value >= 1e3) return `${value / 1e3} k`;
  return String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, words: string, more = ""): string {
  const safe = words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${n(x)}" y="${n(y)}" ${more}>${safe}</text>`;
}
