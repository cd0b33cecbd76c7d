/**
 * Whether the colours can be read: contrast of every pair that carries meaning,
 * in both themes. WCAG 2.2, 1.4.3 (text, 4.5 to 1) and 1.4.11 (what is no text,
 * 3 to 1).
 */

import { PAGE_FILES } from "../../driver/host/dashboard/page_files.ts";
import { assert, assertEquals } from "../../driver/std.ts";

type Theme = Readonly<Record<string, string>>;

const CSS = PAGE_FILES["theme.css"] ?? "";

/** The colours of a block of custom properties. */
function coloursOf(block: string): Theme {
  const found = block.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6});/g);
  return Object.fromEntries([...found].map(([, name, hex]) => [name, hex]));
}

const [light = "", dark = ""] = CSS.split(
  "@media (prefers-color-scheme: dark)",
);
const THEMES = { light: coloursOf(light), dark: coloursOf(dark) };

/** Relative luminance. WCAG 2.2. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [brighter = 0, darker = 0] = [luminance(one), luminance(other)]
    .sort((a, b) => b - a);
  return (brighter + 0.05) / (darker + 0.05);
}

const TONES = ["good", "busy", "wait", "warn", "bad", "off"];

/** Text and what it stands on. */
const TEXTS: readonly (readonly [string, string])[] = [
  ...["page", "surface", "sunken"].flatMap((ground) => [
    ["ink", ground] as const,
    ["soft", ground] as const,
    ["accent", ground] as const,
    ["warn", ground] as const,
    ["bad", ground] as const,
  ]),
  ["on-accent", "accent"],
  ["good", "surface"],
  ...TONES.map((tone) => [tone, `${tone}-tint`] as const),
];

/** Marks, lines and borders that say something, and what they stand on. */
const SHAPES: readonly (readonly [string, string])[] = [
  ...["series-1", "series-2", "series-3", "control", "focus"].map((name) =>
    [name, "surface"] as const
  ),
  ["focus", "page"],
  ["control", "page"],
  ...TONES.flatMap((tone) => [
    [tone, "surface"] as const,
    [tone, "page"] as const,
  ]),
];

Deno.test("Both themes have the same colours, all of them tested or a ground or a line", () => {
  assertEquals(
    Object.keys(THEMES.dark).sort(),
    Object.keys(THEMES.light).sort(),
  );
  const tested = new Set([...TEXTS, ...SHAPES].flat());
  const rest = Object.keys(THEMES.light).filter((name) => !tested.has(name));
  assertEquals(rest, ["line"], "a hair between what stands apart anyway");
});

for (const [name, theme] of Object.entries(THEMES)) {
  Deno.test(`Every text of the ${name} theme has a contrast of 4.5, every shape of 3`, () => {
    const weak = [
      ...TEXTS.map((pair) => [...pair, 4.5] as const),
      ...SHAPES.map((pair) => [...pair, 3] as const),
    ].flatMap(([one, other, least]) => {
      const found = contrast(theme[one] ?? "", theme[other] ?? "");
      return found >= least ? [] : [`${one} on ${other}: ${found.toFixed(2)}`];
    });
    assertEquals(weak, []);
  });
}

Deno.test("Colours stand in the theme and nowhere else", () => {
  for (const [name, text] of Object.entries(PAGE_FILES)) {
    if (name === "theme.css" || !name.endsWith(".css")) continue;
    assert(!/#[0-9a-f]{3,8}\b|rgb|hsl/i.test(text), name);
  }
});

Deno.test("What moves does so only for who has not asked for less motion", () => {
  for (const [name, text] of Object.entries(PAGE_FILES)) {
    if (!name.endsWith(".css")) continue;
    const still = text.replace(
      /@media \(prefers-reduced-motion: no-preference\) \{[\s\S]*?\n\}/g,
      "",
    );
    assert(!/\b(animation|transition)\b/.test(still), name);
  }
});
