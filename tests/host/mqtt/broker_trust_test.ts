/** User, password and certificates, against Debian's broker. */

import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { BridgeBench } from "./bridge_bench.ts";
import { HAS_MOSQUITTO, Mosquitto } from "./mosquitto.ts";

const BRIDGE = "driverspace/bridge/state";

function brokerTest(name: string, fn: () => Promise<void>): void {
  const reason = HAS_MOSQUITTO ? "" : " [not run: there is no mosquitto]";
  Deno.test({ name: `${name}${reason}`, ignore: !HAS_MOSQUITTO, fn });
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
  })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Runs a bridge that must end by itself; its code and what it said. */
async function ends(bench: BridgeBench): Promise<[number, string]> {
  await using bridge = await bench.bridge();
  return [await bridge.code(), bridge.lines.join("\n")];
}

brokerTest(
  "The right password lets it in, a wrong one ends it with 77 and the next step",
  async () => {
    await using broker = await Mosquitto.start(
      ["allow_anonymous false", "password_file FOLDER/users"],
      async (folder) => {
        await Deno.writeTextFile(`${folder}/users`, "", { mode: 0o600 });
        await run("mosquitto_passwd", [
          "-b",
          `${folder}/users`,
          "lab",
          "s3cret",
        ]);
      },
    );
    const file = `${broker.folder}/password`;
    const write = (text: string, mode = 0o600): void => {
      Deno.writeTextFileSync(file, text, { mode });
      Deno.chmodSync(file, mode);
    };
    await using bench = new BridgeBench(broker, [
      'user = "lab"',
      `password_file = "${file}"`,
    ]);
    write("wrong\n");
    const [code, said] = await ends(bench);
    assertEquals(code, 77, said);
    assertStringIncludes(said, "it refuses user and password");
    assertStringIncludes(said, "password_file in [mqtt]");
    assertEquals(said.includes("wrong"), false, said);

    write("s3cret\n", 0o644);
    const [readable, why] = await ends(bench);
    assertEquals(readable, 78, why);
    assertStringIncludes(why, "others may read it; chmod 600 it");

    write("s3cret\n# the rest is no part of it\n");
    await using seen = await broker.follow(["#"], {
      args: ["-u", "lab", "-P", "s3cret"],
    });
    await using bridge = await bench.bridge();
    await seen.untilLast(BRIDGE, "online");
    bridge.signal("SIGTERM");
    assertEquals(await bridge.code(), 0);
  },
);

/** A certificate that signs itself. */
async function certificate(path: string, name: string): Promise<void> {
  await run("openssl", [
    ...["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"],
    ...["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", `/CN=${name}`],
    ...["-addext", `subjectAltName=${name}`],
    ...["-keyout", `${path}.key`, "-out", `${path}.pem`],
  ]);
}

function tlsBroker(name: string): Promise<Mosquitto> {
  return Mosquitto.start(
    [
      "allow_anonymous true",
      "certfile FOLDER/broker.pem",
      "keyfile FOLDER/broker.key",
    ],
    async (folder) => {
      await certificate(`${folder}/broker`, name);
      await certificate(`${folder}/other`, name);
    },
  );
}

brokerTest(
  "A broker with the certificate that is named is trusted, any other is not",
  async () => {
    await using broker = await tlsBroker("IP:127.0.0.1");
    const trusted = `${broker.folder}/broker.pem`;
    {
      await using bench = new BridgeBench(broker, [`ca_file = "${trusted}"`]);
      await using seen = await broker.follow(["#"], {
        args: ["--cafile", trusted],
      });
      await using bridge = await bench.bridge();
      await seen.untilLast(BRIDGE, "online");
      bridge.signal("SIGTERM");
      assertEquals(await bridge.code(), 0);
    }
    await using bench = new BridgeBench(broker, [
      `ca_file = "${broker.folder}/other.pem"`,
    ]);
    const [code, said] = await ends(bench);
    assertEquals(code, 77, said);
    assertStringIncludes(said, "its certificate is not trusted");
    assertStringIncludes(said, "ca_file");
  },
);

brokerTest("A certificate of another name is not trusted", async () => {
  await using broker = await tlsBroker("DNS:elsewhere.example");
  await using bench = new BridgeBench(broker, [
    `ca_file = "${broker.folder}/broker.pem"`,
  ]);
  const [code, said] = await ends(bench);
  assertEquals(code, 77, said);
  assertMatch(said, /not trusted: Hostname/);
});

brokerTest(
  "A file that holds no certificate is a mistake of the configuration",
  async () => {
    await using broker = await tlsBroker("IP:127.0.0.1");
    await using bench = new BridgeBench(broker, [
      `ca_file = "${broker.folder}/broker.key"`,
    ]);
    const [code, said] = await ends(bench);
    assertEquals(code, 78, said);
    assertStringIncludes(said, "it holds no certificate in PEM form");
  },
);

brokerTest(
  "A broker that waits for TLS, and one that has none, are told apart from nobody",
  async () => {
    await using tls = await tlsBroker("IP:127.0.0.1");
    await using plain = new BridgeBench(tls);
    await using first = await plain.bridge();
    await first.untilLine(/broker.away/);
    await using bare = await Mosquitto.start();
    await using secure = new BridgeBench(bare, [
      `ca_file = "${tls.folder}/broker.pem"`,
    ]);
    await using second = await secure.bridge();
    await second.untilLine(/before secure TLS connection/);
  },
);
