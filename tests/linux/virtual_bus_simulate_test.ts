import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  Loopback,
  NotifyTransport,
  simulate,
} from "../../ffi/linux/testing.ts";
import { isAlive } from "../cli/served_bus.ts";
import { PYTHON, shownBus, testOn } from "./shown_bus.ts";

const TRANSPORTS = ["preload", "notify"] as const;

for (const transport of TRANSPORTS) {
  testOn(transport, "simulate gives the program's exit code", async () => {
    const options = { devices: [new Loopback()], transport };
    const command = ["sh", "-c", "exit 7"];
    assertEquals(await simulate({ ...options, command }), 7);
    const killed = ["sh", "-c", "kill -TERM $$"];
    assertEquals(await simulate({ ...options, command: killed }), 128 + 15);
  });

  testOn(
    transport,
    "simulate passes signals on and leaves nothing behind",
    async () => {
      const place = await Deno.makeTempDir({ prefix: "sim." });
      try {
        await using outer = spawnSimulate(transport, place);
        const line = await firstLine(outer.child);
        assertEquals(line, "ready");
        assertEquals(entries(place).length, 1);
        outer.child.kill("SIGTERM");
        assertEquals((await outer.child.status).code, 42);
        assertEquals(entries(place), []);
      } finally {
        await Deno.remove(place, { recursive: true });
      }
    },
  );

  testOn(
    transport,
    "closing a transport ends the clients that still run",
    async () => {
      const shown = await shownBus({ transport }, new Loopback());
      const client = await shown.peer("claim");
      await shown[Symbol.asyncDispose]();
      assertEquals((await client.status).signal, "SIGKILL");
      await client.child.stdin.close().catch(() => {});
      await client.child.stdout.cancel();
      await client.child.stderr.cancel();
    },
  );
}

Deno.test("simulate without a command is a mistake of its caller", async () => {
  await assertRejects(
    () => simulate({ devices: [], command: [] }),
    RangeError,
    "Which program",
  );
});

testOn("preload", "simulate says that a program is not there", async () => {
  const error = await assertRejects(
    () =>
      simulate({
        devices: [],
        transport: "preload",
        command: ["no-such-program-anywhere"],
      }),
    UsbError,
    "there is no such program",
  );
  assertEquals(error.code, "notFound");
});

testOn(
  "notify",
  "simulate of a program that is not there ends with 127",
  async () => {
    const transport = "notify";
    await using shown = await shownBus({ transport });
    await using client = await shown.transport.spawn({
      program: "no-such-program-anywhere",
      stdout: "piped",
      stderr: "piped",
    });
    const { status, text } = await client.output();
    assertEquals(status.code, 127);
    assertStringIncludes(text, "Cannot execute no-such-program-anywhere");
  },
);

testOn(
  "notify",
  "a launcher that ends early is an error in words",
  async () => {
    await using shown = await shownBus({ transport: "notify" });
    await using transport = new NotifyTransport(shown.bus, {
      launcher: ["sh", "-c", "exit 3"],
    });
    const error = await assertRejects(
      () => transport.spawn({ program: "true" }),
      UsbError,
      "exit code 3",
    );
    assertEquals(error.code, "notSupported");
    await assertRejects(
      () =>
        Promise.resolve().then(() =>
          new NotifyTransport(shown.bus, { lingerUs: 1e9 })
        ),
      RangeError,
      "linger",
    );
  },
);

testOn(
  "notify",
  "a launcher that never reports is killed, and the error says so",
  async () => {
    await using shown = await shownBus({ transport: "notify" });
    const file = await Deno.makeTempFile();
    await using transport = new NotifyTransport(shown.bus, {
      launcher: ["sh", "-c", `echo $$ > ${file}; exec sleep 600`],
      launchTimeoutMs: 1_000,
    });
    const error = await assertRejects(
      () => transport.spawn({ program: "true" }),
      UsbError,
      "did not report within 1000 ms",
    );
    assertEquals(error.code, "timedOut");
    const pid = Number(await Deno.readTextFile(file));
    await Deno.remove(file);
    while (isAlive(pid)) await new Promise((done) => setTimeout(done, 5));
  },
);

/** A program that simulates a client which waits for SIGTERM and then exits with 42. */
function spawnSimulate(
  transport: string,
  place: string,
): AsyncDisposable & { readonly child: Deno.ChildProcess } {
  const module = new URL("../../ffi/linux/testing.ts", import.meta.url);
  const client = "import signal, sys; " +
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42)); " +
    "print('ready', flush=True); signal.pause()";
  const command = JSON.stringify([PYTHON, "-c", client]);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `
      const { simulate } = await import("${module}");
      const [devices, command] = [[], ${command}];
      Deno.exit(await simulate({ devices, transport: "${transport}", command }));`,
    ],
    env: { TMPDIR: place, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  return {
    child,
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended, as it should.
      }
      await child.status;
    },
  };
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const text = new TextDecoder();
  let line = "";
  for await (const bytes of child.stdout) {
    line += text.decode(bytes, { stream: true });
    if (line.includes("\n")) break;
  }
  assert(line.includes("\n"), "It ended without a word");
  return line.slice(0, line.indexOf("\n"));
}

function entries(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}
