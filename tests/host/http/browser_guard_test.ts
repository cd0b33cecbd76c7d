/** What pages of strangers can send through somebody's browser, and what they get. */

import type { Handle } from "../../../driver/host/http/answers.ts";
import {
  type Entrance,
  guardBrowsers,
} from "../../../driver/host/http/browser_guard.ts";
import { listen } from "../../../driver/host/http/server.ts";
import { assertEquals, assertMatch } from "../../../driver/std.ts";

const TOKEN = "a token of enough characters";
const reached: Handle = () => Promise.resolve(new Response("reached"));

async function statusFor(
  entrance: Entrance,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const request = new Request("http://x/drivers", { headers });
  const { status } = await guardBrowsers(reached, entrance)(request);
  return status;
}

Deno.test("A port answers under names of the loopback address only", async () => {
  const rows: readonly [host: string, status: number][] = [
    ["127.0.0.1", 200],
    ["127.0.0.1:9464", 200],
    ["localhost:8080", 200],
    ["LOCALHOST", 200],
    ["[::1]:9464", 200],
    ["evil.example:9464", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.evil.example:9464", 421],
    ["localhost.", 421],
    ["lab", 421],
    ["", 421],
    ["127.0.0.1:9464:1", 421],
    ["evil.example@127.0.0.1", 421],
    ["127.0.0.1 evil.example", 421],
    ["[::1", 421],
    ["0.0.0.0:9464", 421],
    ["192.168.1.4:9464", 421],
  ];
  for (const [host, status] of rows) {
    assertEquals(await statusFor("port", { host }), status, host);
  }
  assertEquals(await statusFor("port", {}), 200, "HTTP/1.0 has no Host");
});

Deno.test("A socket takes any name that no stranger can own", async () => {
  const rows: readonly [host: string, status: number][] = [
    ["localhost", 200],
    ["driverspace", 200],
    ["x:8080", 200],
    ["evil.example", 421],
    ["[fe80::1]", 421],
  ];
  for (const [host, status] of rows) {
    assertEquals(await statusFor("socket", { host }), status, host);
  }
});

Deno.test("A page of another origin is refused, whatever it asks for", async () => {
  const host = "127.0.0.1:9464";
  const rows: readonly [headers: Record<string, string>, status: number][] = [
    [{ origin: "http://127.0.0.1:9464" }, 200],
    [{ origin: "HTTP://127.0.0.1:9464" }, 200],
    [{ origin: "http://127.0.0.1:9465" }, 403],
    [{ origin: "http://localhost:9464" }, 403],
    [{ origin: "https://evil.example" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "" }, 403],
    [{ origin: "file://" }, 403],
    [{ origin: "http://127.0.0.1:9464/" }, 403],
    [{ origin: "https://evil.example", "sec-fetch-site": "cross-site" }, 403],
    [{ origin: "https://evil.example", "sec-fetch-site": "same-site" }, 403],
    // Behind a proxy that ends TLS: the browser vouches for it.
    [{ origin: "https://lab.example", "sec-fetch-site": "same-origin" }, 200],
  ];
  for (const [headers, status] of rows) {
    for (const entrance of ["port", "socket"] as const) {
      assertEquals(
        await statusFor(entrance, { host, ...headers }),
        status,
        JSON.stringify(headers),
      );
    }
  }
});

Deno.test("Both doors are guarded, and the port's before its token is looked at", async () => {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  const server = await listen(reached, { socket, port: 0, token: TOKEN });
  const ask = async (
    open: () => Promise<Deno.Conn>,
    lines: readonly string[],
  ): Promise<string> => {
    using connection = await open();
    const text = ["GET / HTTP/1.1", "Connection: close", ...lines, "", ""];
    await connection.write(new TextEncoder().encode(text.join("\r\n")));
    return await new Response(connection.readable).text();
  };
  const byPort = (): Promise<Deno.Conn> =>
    Deno.connect({ port: server.port ?? 0 });
  const bySocket = (): Promise<Deno.Conn> =>
    Deno.connect({ transport: "unix", path: socket });
  const token = `Authorization: Bearer ${TOKEN}`;
  const own = `Host: 127.0.0.1:${server.port}`;
  const evil = "Host: evil.example";
  const foreign = "Origin: http://evil.example";
  try {
    assertMatch(await ask(byPort, [own, token]), /^HTTP\/1.1 200/);
    assertMatch(await ask(byPort, [own]), /^HTTP\/1.1 401/);
    assertMatch(await ask(byPort, [evil, token]), /^HTTP\/1.1 421/);
    assertMatch(await ask(byPort, [own, foreign, token]), /^HTTP\/1.1 403/);
    assertMatch(await ask(bySocket, ["Host: x"]), /^HTTP\/1.1 200/);
    assertMatch(await ask(bySocket, [evil]), /^HTTP\/1.1 421/);
    assertMatch(await ask(bySocket, ["Host: x", foreign]), /badOrigin/);
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
});
