/** The interface on real sockets, with clients of every manner. */

import {
  listen,
  ListenError,
  readToken,
  type RunningServer,
} from "../../../driver/host/http/server.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";

const TOKEN = "a token of enough characters";

function handle(request: Request): Promise<Response> {
  return Promise.resolve(new Response(new URL(request.url).pathname));
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Sends bytes over the socket and gives the beginning of the answer. */
async function say(
  socket: string,
  bytes: Uint8Array,
  options: { readonly isCutOff?: boolean } = {},
): Promise<string> {
  const connection = await Deno.connect({ transport: "unix", path: socket });
  try {
    await connection.write(bytes);
    if (options.isCutOff === true) return "";
    await connection.closeWrite();
    const answer = new Uint8Array(256);
    const length = await connection.read(answer) ?? 0;
    return new TextDecoder().decode(answer.subarray(0, length));
  } catch {
    // A server may hang up on nonsense.
    return "";
  } finally {
    connection.close();
  }
}

const GET = new TextEncoder().encode(
  "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
);

Deno.test("The socket is its owner's alone and is gone afterwards", async () => {
  await inFolder(async (folder) => {
    const socket = `${folder}/socket`;
    const server = await listen(handle, { socket });
    assertEquals((Deno.statSync(socket).mode ?? 0) & 0o777, 0o600);
    assertStringIncludes(await say(socket, GET), "/livez");
    await server.close();
    assertThrows(() => Deno.statSync(socket), Deno.errors.NotFound);
  });
});

Deno.test("A socket that somebody answers is not taken; a dead one and a file are told apart", async () => {
  await inFolder(async (folder) => {
    const socket = `${folder}/socket`;
    const server = await listen(handle, { socket });
    await assertRejects(
      () => listen(handle, { socket }),
      ListenError,
      "somebody listens there already",
    );
    await server.close();

    const dead = `${folder}/dead`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `Deno.listen({ transport: "unix", path: ${JSON.stringify(dead)} });
         console.log("listening"); setTimeout(() => {}, 1e6);`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const revived = await listen(handle, { socket: dead });
    assertStringIncludes(await say(dead, GET), "/livez");
    await revived.close();

    Deno.writeTextFileSync(`${folder}/file`, "precious");
    await assertRejects(
      () => listen(handle, { socket: `${folder}/file` }),
      ListenError,
      "it is no socket",
    );
    assertEquals(Deno.readTextFileSync(`${folder}/file`), "precious");
    await assertRejects(
      () => listen(handle, { socket: `${folder}/none/socket` }),
      ListenError,
    );
  });
});

Deno.test("A port asks for the token, and a taken one gives the socket back", async () => {
  await inFolder(async (folder) => {
    const socket = `${folder}/socket`;
    const options = { socket, port: 0, token: TOKEN };
    const server: RunningServer = await listen(handle, options);
    const url = `http://127.0.0.1:${server.port}/livez`;
    for (const authorization of ["", "Bearer no", `Basic ${TOKEN}`]) {
      const response = await fetch(url, { headers: { authorization } });
      assertEquals(response.status, 401);
      await response.body?.cancel();
    }
    const authorization = `Bearer ${TOKEN}`;
    const response = await fetch(url, { headers: { authorization } });
    assertEquals(await response.text(), "/livez");

    const other = `${folder}/other`;
    assert(server.port !== undefined);
    await assertRejects(
      () =>
        listen(handle, { ...options, socket: other, port: server.port ?? 1 }),
      ListenError,
      "it is in use",
    );
    assertThrows(() => Deno.statSync(other), Deno.errors.NotFound);
    await server.close();
    await assertRejects(
      () => listen(handle, { socket, port: 0 }),
      ListenError,
      "without a token",
    );
  });
});

Deno.test("A token that others may read, or that is short, is refused", async () => {
  await inFolder((folder) => {
    const path = `${folder}/token`;
    Deno.writeTextFileSync(path, `${TOKEN}\n`, { mode: 0o600 });
    assertEquals(readToken(path), TOKEN);
    Deno.chmodSync(path, 0o644);
    assertThrows(() => readToken(path), ListenError, "others may read it");
    Deno.chmodSync(path, 0o600);
    Deno.writeTextFileSync(path, "short\n");
    assertThrows(() => readToken(path), ListenError, "less than");
    assertThrows(() => readToken(`${folder}/none`), ListenError);
    return Promise.resolve();
  });
});

Deno.test("Clients that send garbage, hang up or say nothing do no harm", async () => {
  await inFolder(async (folder) => {
    const socket = `${folder}/socket`;
    const server = await listen(handle, { socket });
    const text = new TextEncoder();
    const nonsense = [
      Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0xff),
      text.encode("\r\n\r\n\r\n"),
      text.encode("GET / HTTP/9.9\r\n\r\n"),
      text.encode("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
      text.encode(`GET /${"x".repeat(100_000)} HTTP/1.1\r\n\r\n`),
      text.encode(
        `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(20_000)}\r\n`,
      ),
      crypto.getRandomValues(new Uint8Array(4096)),
    ];
    for (const bytes of nonsense) await say(socket, bytes);
    await Promise.all(
      Array.from({ length: 100 }, () => say(socket, GET, { isCutOff: true })),
    );
    const silent = await Deno.connect({ transport: "unix", path: socket });
    assertStringIncludes(await say(socket, GET), "/livez");
    silent.close();
    await server.close();
  });
});
