/** The page as it is handed out: whole, closed in itself, without rights it does not need. */

import { PAGE, PAGE_FILES } from "../../driver/host/dashboard/page_files.ts";
import { isOfPage, servePage } from "../../driver/host/dashboard/serve_page.ts";
import { openApiDocument } from "../../driver/host/http/openapi.ts";
import { listen } from "../../driver/host/http/server.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";

const FOLDER = new URL("../../driver/host/dashboard/page/", import.meta.url);

async function get(
  path: string,
  method = "GET",
): Promise<Response | undefined> {
  return await servePage(new Request(`http://x${path}`, { method }));
}

Deno.test("Every file of the page is handed out as it is, and no other", async () => {
  const names: string[] = [];
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (!name.endsWith(".d.ts")) names.push(name);
  }
  assertEquals(
    ["index.html", ...Object.keys(PAGE_FILES)].sort(),
    names.sort(),
  );
  for (const name of names) {
    const path = name === "index.html" ? "/" : `/dashboard/${name}`;
    assertEquals(
      await (await get(path))?.text(),
      Deno.readTextFileSync(new URL(name, FOLDER)),
    );
  }
  for (
    const path of [
      "/dashboard/index.html",
      "/dashboard/__proto__",
      "/dashboard/constructor",
      "/dashboard/../mod.ts",
      "/dashboard/words.d.ts",
      "/dashboardx",
      "//",
    ]
  ) assertEquals(await get(path), undefined, path);
  for (const path of ["/dashboard", "/dashboard/"]) {
    assertEquals(await (await get(path))?.text(), PAGE);
  }
  assertEquals(await get("/", "POST"), undefined);
  assertEquals((await get("/", "HEAD"))?.status, 200);
});

Deno.test("Nothing in it leads elsewhere, and all that it loads is there", () => {
  const paths = [...PAGE.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) =>
    path ?? ""
  );
  assert(paths.length > 0);
  for (const path of paths) {
    assert(isOfPage(new Request(`http://x${path}`)), path);
    assert(Object.hasOwn(PAGE_FILES, path.slice("/dashboard/".length)), path);
  }
  for (const [name, text] of Object.entries({ ...PAGE_FILES, page: PAGE })) {
    for (const [, target] of text.matchAll(/^import [^;]*?from "([^"]+)"/gm)) {
      assert(Object.hasOwn(PAGE_FILES, target?.slice(2) ?? ""), target);
    }
    const foreign = [...text.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`]+/g)]
      .map(([url]) => url)
      // The name of SVG's elements, which is looked up nowhere.
      .filter((url) => url !== "http://www.w3.org/2000/svg");
    assertEquals(foreign, [], name);
    assert(!/@import url|url\(/.test(text), name);
  }
});

Deno.test("The page makes no markup of text and runs no text as code", () => {
  const forbidden =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\(|new Function|\.on[a-z]+ ?=|javascript:/;
  for (const [name, text] of Object.entries(PAGE_FILES)) {
    if (name.endsWith(".js")) assert(!forbidden.test(text), name);
  }
  assert(!/<script>|<style>| style=| on[a-z]+=/.test(PAGE), "index.html");
});

Deno.test("The policy allows these files and this supervisor, and nothing more", async () => {
  for (const path of ["/", "/dashboard/app.js", "/dashboard/theme.css"]) {
    const headers = (await get(path))?.headers;
    const policy = headers?.get("content-security-policy") ?? "";
    for (
      const part of [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]
    ) assertStringIncludes(policy, part);
    assert(!/unsafe|\*|data:|blob:/.test(policy), policy);
    assertEquals(headers?.get("x-content-type-options"), "nosniff");
    assertEquals(headers?.get("referrer-policy"), "no-referrer");
  }
  const types = await Promise.all(
    ["/", "/dashboard/app.js", "/dashboard/theme.css", "/dashboard/favicon.svg"]
      .map(async (path) => (await get(path))?.headers.get("content-type")),
  );
  assertEquals(types, [
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "image/svg+xml; charset=utf-8",
  ]);
});

Deno.test("On a port the page needs no token, and what it asks for does", async () => {
  const folder = await Deno.makeTempDir();
  const server = await listen(() => Promise.resolve(new Response("secret")), {
    socket: `${folder}/socket`,
    port: 0,
    token: "a token of enough characters",
    page: servePage,
  });
  try {
    const at = `http://127.0.0.1:${server.port}`;
    const page = await fetch(`${at}/`);
    assertStringIncludes(await page.text(), "<title>Driver Space</title>");
    for (const path of ["/status", "/dashboard/none.js", "/events"]) {
      const answer = await fetch(`${at}${path}`);
      assertEquals(answer.status, 401, path);
      assert(!(await answer.text()).includes("secret"));
    }
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
});

/** Members of the interfaces in the page's words, by their name. */
function wordsOf(source: string): Record<string, string[]> {
  const found = source.matchAll(
    /export interface (\w+)(?: extends \w+)? \{([\s\S]*?)\n\}/g,
  );
  return Object.fromEntries(
    [...found].map(([, name, body = ""]) => [
      name,
      [...body.matchAll(/^ {2}readonly "?(\w+)"?\??:/gm)].map(([, member]) =>
        member ?? ""
      ),
    ]),
  );
}

Deno.test("The page expects what the interface for programs promises", () => {
  const words = wordsOf(Deno.readTextFileSync(new URL("words.d.ts", FOLDER)));
  // deno-lint-ignore no-explicit-any -- schemas of any shape
  const schemas: any = openApiDocument("0")["components"];
  const { Status, Driver, DriverDetail, DriverLog } = schemas.schemas;
  const detail = DriverDetail.properties;
  const rows: readonly [word: string, schema: { properties: object }][] = [
    ["StatusView", Status],
    ["DriverView", Driver],
    ["DeviceView", Driver.properties.device],
    ["DetailView", DriverDetail],
    ["EndpointView", detail.endpoints.items],
    ["ValueView", detail.values.items],
    ["TransitionView", detail.transitions.items],
    ["ExitView", detail.exits.items],
    ["CommandView", detail.commands.items],
    ["LogLine", DriverLog.properties.lines.items],
  ];
  for (const [word, { properties }] of rows) {
    const members = words[word] ?? [];
    assert(members.length > 3, word);
    const unknown = members.filter((name) => !Object.hasOwn(properties, name));
    assertEquals(unknown, [], word);
  }
});
