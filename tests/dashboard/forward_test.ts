/** From a browser's port to the supervisor's socket and back, and what ends on the way. */

import {
  type Forwarder,
  forwardTo,
} from "../../driver/host/dashboard/forward.ts";
import type { Handle } from "../../driver/host/http/answers.ts";
import { listen, listenOnPort } from "../../driver/host/http/server.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { call } from "../cli/fake_parts.ts";

const TOKEN = "a token of enough characters";

interface Way {
  readonly forwarder: Forwarder;
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  /** Ends the supervisor's side. */
  readonly endSupervisor: () => Promise<void>;
  readonly socket: string;
}

/** A supervisor that answers with `handle`, and a port that leads to it. */
async function onWay(
  handle: Handle,
  run: (way: Way) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  const supervisor = await listen(handle, { socket });
  using forwarder = forwardTo(socket);
  const server = listenOnPort(forwarder.handle, { port: 0, token: TOKEN });
  try {
    await run({
      forwarder,
      socket,
      ask: (path, init = {}) =>
        fetch(`http://127.0.0.1:${server.port}${path}`, {
          ...init,
          headers: { ...init.headers, authorization: `Bearer ${TOKEN}` },
        }),
      endSupervisor: () => supervisor.close(),
    });
  } finally {
    forwarder[Symbol.dispose]();
    await server.close();
    await supervisor.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("A request arrives whole, without what is the browser's own business", async () => {
  const seen: { readonly url: string; readonly headers: Headers }[] = [];
  const bodies: string[] = [];
  await onWay(
    async (request) => {
      seen.push({ url: request.url, headers: new Headers(request.headers) });
      bodies.push(await request.text());
      return new Response('{"a":1}', {
        status: 409,
        headers: { "content-type": "application/json", "x-own": "1" },
      });
    },
    async ({ ask }) => {
      const answer = await ask("/drivers/a%2Fb/commands/x?y=%20", {
        method: "POST",
        body: '{"params":{}}',
        headers: {
          "content-type": "application/json",
          "idempotency-key": "42",
          "cookie": "c=1",
          "x-forwarded-for": "1.2.3.4",
        },
      });
      assertEquals(answer.status, 409);
      assertEquals(answer.headers.get("x-own"), "1");
      assertEquals(await answer.json(), { a: 1 });
    },
  );
  const [request] = seen;
  assertEquals(bodies, ['{"params":{}}']);
  assertStringIncludes(request?.url ?? "", "/drivers/a%2Fb/commands/x?y=%20");
  assertEquals(request?.headers.get("idempotency-key"), "42");
  for (const name of ["authorization", "cookie", "x-forwarded-for", "origin"]) {
    assertEquals(request?.headers.get(name), null, name);
  }
});

Deno.test("Events pass piece by piece, and a client that leaves is gone at the supervisor, too", async () => {
  const left = Promise.withResolvers<void>();
  const stream = (): Response =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode("data: first\n\n"));
        },
        cancel: () => left.resolve(),
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  await onWay(() => Promise.resolve(stream()), async ({ ask }) => {
    const answer = await ask("/events");
    assertEquals(answer.headers.get("content-type"), "text/event-stream");
    const reader = answer.body?.getReader();
    const piece = await reader?.read();
    assertEquals(new TextDecoder().decode(piece?.value), "data: first\n\n");
    await reader?.cancel();
    await left.promise;
  });
});

Deno.test("A supervisor that is gone is told in its own words, and found again when it is back", async () => {
  await onWay(
    () => Promise.resolve(new Response("here")),
    async ({ ask, endSupervisor, socket }) => {
      assertEquals(await (await ask("/status")).text(), "here");
      await endSupervisor();
      const gone = await ask("/status");
      assertEquals(gone.status, 502);
      const { error } = await gone.json();
      assertEquals(error.code, "unavailable");
      assertStringIncludes(error.message, socket);
      const again = await listen(
        () => Promise.resolve(new Response("back")),
        { socket },
      );
      assertEquals(await (await ask("/status")).text(), "back");
      await again.close();
    },
  );
});

Deno.test("A stream whose supervisor dies breaks off instead of waiting", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  const supervisor = Deno.listen({ transport: "unix", path });
  const dying = (async (): Promise<void> => {
    using connection = await supervisor.accept();
    await connection.read(new Uint8Array(4096));
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "9\r\ndata: x\n\n\r\n";
    await connection.write(new TextEncoder().encode(text));
  })();
  const forwarder = forwardTo(path);
  const server = listenOnPort(forwarder.handle, { port: 0, token: TOKEN });
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/events`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const text = await answer.text().catch(() => "broken");
    assert(text === "broken" || text === "data: x\n\n", text);
  } finally {
    await dying;
    forwarder[Symbol.dispose]();
    await server.close();
    supervisor.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("dashboard says what is wrong before it opens a port", async () => {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  try {
    const absent = await call(["dashboard", "--socket", socket]);
    assertEquals(absent.code, 69);
    assertStringIncludes(absent.err, socket);
    for (const port of ["x", "-1", "65536", "80 ", "\x1b"]) {
      const wrong = await call(["dashboard", `--port=${port}`]);
      assertEquals(wrong.code, 2, port);
      assert(!wrong.err.includes("\x1b"));
    }
    const supervisor = await listen(
      () => Promise.resolve(new Response("{}")),
      { socket },
    );
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const busy = await call(
      ["dashboard", "--socket", socket, "--port", String(port)],
    );
    assertEquals(busy.code, 75);
    assertStringIncludes(busy.err, "it is in use");
    taken.close();
    await supervisor.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
