/**
 * Hands out the page. It says nothing of this machine, so it needs no token; what
 * it then asks for does.
 *
 * @module
 */

import { PAGE, PAGE_FILES } from "./page_files.ts";

/** Below it lie the files of the page. */
const FOLDER = "/dashboard/";

/** Answers requests for the page and its files; `undefined` for any other. */
export function servePage(request: Request): Promise<Response> | undefined {
  const name = nameIn(request);
  if (name === undefined) return undefined;
  if (name === "") return Promise.resolve(answer(PAGE, "index.html"));
  const text = Object.hasOwn(PAGE_FILES, name) ? PAGE_FILES[name] : undefined;
  return text === undefined ? undefined : Promise.resolve(answer(text, name));
}

/** Whether a request is for the page or one of its files. */
export function isOfPage(request: Request): boolean {
  return nameIn(request) !== undefined;
}

/** The name of the file; empty for the page itself. */
function nameIn({ method, url }: Request): string | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  const { pathname } = new URL(url);
  // People type the one as soon as the other.
  if (pathname === "/" || `${pathname}/` === FOLDER) return "";
  return pathname.startsWith(FOLDER)
    ? pathname.slice(FOLDER.length)
    : undefined;
}

function answer(text: string, name: string): Response {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "text/plain";
  return new Response(text, {
    headers: { ...HEADERS, "content-type": `${type}; charset=utf-8` },
  });
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  svg: "image/svg+xml",
};

/**
 * What the page may do: load these files and ask this supervisor. No script in
 * the page itself, no markup made of a text (`require-trusted-types-for`), so
 * that what a driver or a device says stays a text. CSP Level 3; Trusted Types.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;
