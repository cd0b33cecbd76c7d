/** The rights of the bridge's process, as the runtime holds them. */

import {
  bridgeFlags,
  type BridgeGrants,
} from "../../../driver/host/mqtt/permissions.ts";
import { readBridgeConfiguration } from "../../../driver/host/mqtt/bridge_files.ts";
import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { BridgeBench } from "./bridge_bench.ts";
import { HAS_MOSQUITTO, Mosquitto } from "./mosquitto.ts";

function brokerTest(name: string, fn: () => Promise<void>): void {
  const reason = HAS_MOSQUITTO ? "" : " [not run: there is no mosquitto]";
  Deno.test({ name: `${name}${reason}`, ignore: !HAS_MOSQUITTO, fn });
}

brokerTest(
  "With any right more or less than it needs the bridge does not start",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    const spoiled = async (
      change: (command: string[]) => string[],
    ): Promise<string> => {
      await using bridge = await bench.bridge(change);
      const code = await bridge.code();
      const said = bridge.lines.join("\n");
      assertEquals(code, 77, said);
      return said;
    };
    const add = (flag: string) => (command: string[]): string[] =>
      command.toSpliced(2, 0, flag);
    const widen = (from: string, to: string) => (command: string[]): string[] =>
      command.map((part) => part.startsWith(from) ? to : part);
    for (
      const [change, said] of [
        [widen("--allow-net", "--allow-net"), "--allow-net is more than"],
        [
          widen("--allow-net", `--allow-net=127.0.0.1,unix:${bench.socket}`),
          "--allow-net=127.0.0.1 is more than",
        ],
        [widen("--allow-read", "--allow-read"), "--allow-read is more than"],
        [
          widen("--allow-write", `--allow-write=${bench.folder}`),
          "is more than it needs",
        ],
        [widen("--ignore-env", "--allow-env"), "--allow-env is more than"],
        [add("--allow-run"), "--allow-run is more than"],
        [add("--allow-ffi"), "--allow-ffi is more than"],
        [add("--allow-sys"), "--allow-sys is more than"],
        [
          (command) =>
            add("--allow-all")(
              command.filter((part) => !/^--(allow|ignore)-/.test(part)),
            ),
          "--allow-ffi is more than",
        ],
        [
          widen("--allow-net", `--allow-net=unix:${bench.socket}`),
          `it lacks --allow-net=127.0.0.1:${broker.port}`,
        ],
      ] as readonly [(command: string[]) => string[], string][]
    ) assertStringIncludes(await spoiled(change), said);
  },
);

/** What somebody would try who runs as JavaScript in the bridge. */
const PROBE = `
const tries = {
  broker: async () => (await Deno.connect({ hostname: "127.0.0.1", port: PORT })).close(),
  socket: async () => (await Deno.connect({ transport: "unix", path: SOCKET })).close(),
  otherPort: async () => (await Deno.connect({ hostname: "127.0.0.1", port: OTHER })).close(),
  otherHost: () => Deno.connect({ hostname: "127.0.0.2", port: PORT }),
  otherSocket: () => Deno.connect({ transport: "unix", path: SOCKET + "2" }),
  listen: () => Deno.listen({ port: 0 }),
  fetch: () => fetch("http://127.0.0.1:" + OTHER),
  dns: () => Deno.resolveDns("localhost", "A"),
  readConfiguration: () => Deno.readTextFileSync(CONFIGURATION),
  readPassword: () => Deno.readTextFileSync(PASSWORD),
  readOther: () => Deno.readTextFileSync("/etc/passwd"),
  list: () => [...Deno.readDirSync("/")],
  write: () => Deno.writeTextFileSync(SOCKET + "2", ""),
  run: () => new Deno.Command("/bin/true").outputSync(),
  ffi: () => Deno.dlopen("/usr/lib/x86_64-linux-gnu/libc.so.6", {}),
  env: () => { if (Deno.env.get("SECRET") === undefined) throw new Error("nothing"); },
  worker: () => new Promise((resolve, reject) => {
    const code = "postMessage(Deno.permissions.querySync({name:'run'}).state)";
    const worker = new Worker("data:text/javascript," + code, { type: "module" });
    worker.onmessage = ({ data }) => { worker.terminate(); data === "granted" ? resolve() : reject(new Error(data)); };
    worker.onerror = (event) => { event.preventDefault(); reject(new Error("no worker")); };
  }),
  askForMore: async () => {
    const { state } = await Deno.permissions.request({ name: "run" });
    if (state !== "granted") throw new Error(state);
  },
};
for (const name of ["configuration", "password"]) {
  Deno.permissions.revokeSync({ name: "read", path: name === "password" ? PASSWORD : CONFIGURATION });
}
const result = {};
for (const [name, attempt] of Object.entries(tries)) {
  try { await attempt(); result[name] = "done"; } catch { result[name] = "refused"; }
}
console.log(JSON.stringify(result));
`;

brokerTest(
  "The flags of the bridge let JavaScript reach its broker and its socket and nothing else",
  async () => {
    await using broker = await Mosquitto.start();
    await using other = await Mosquitto.start();
    const password = `${broker.folder}/password`;
    Deno.writeTextFileSync(password, "secret", { mode: 0o600 });
    await using bench = new BridgeBench(broker, [
      'user = "lab"',
      `password_file = "${password}"`,
    ]);
    await bench.serve();
    const { settings } = readBridgeConfiguration(bench.configuration);
    const grants: BridgeGrants = {
      settings,
      socket: bench.socket,
      configuration: bench.configuration,
    };
    const names = {
      PORT: broker.port,
      OTHER: other.port,
      SOCKET: bench.socket,
      CONFIGURATION: bench.configuration,
      PASSWORD: password,
    };
    const program = `${bench.folder}/probe.js`;
    Deno.writeTextFileSync(
      program,
      Object.entries(names).map(([name, value]) =>
        `const ${name} = ${JSON.stringify(value)};\n`
      ).join("") + PROBE,
    );
    const probe = async (flags: readonly string[]): Promise<unknown> => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", ...flags, program],
        env: { SECRET: "1", NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      assertMatch(text, /^\{/, new TextDecoder().decode(stderr));
      return JSON.parse(text);
    };
    const confined = await probe(bridgeFlags(grants)) as Record<string, string>;
    const { broker: toBroker, socket, ...rest } = confined;
    assertEquals([toBroker, socket], ["done", "done"]);
    assertEquals(
      Object.entries(rest).filter(([, what]) => what !== "refused"),
      [],
    );
    // The same attempts succeed where nothing forbids them: they are no sham.
    const free = await probe(["--allow-all"]) as Record<string, string>;
    for (
      const name of [
        "otherPort",
        "readOther",
        "list",
        "write",
        "run",
        "env",
        "dns",
        "listen",
      ]
    ) assertEquals(free[name], "done", name);
  },
);
