/** Malformed messages of a device: exit 76, one clear sentence, nothing left claimed. */

import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { call, fakeToolbox } from "./fake_parts.ts";
import { driverspace, Folder, testOn } from "./spawned.ts";

/** What is wrong with each answer, as a person reads it. */
const MALFORMED = {
  wrongTag: "its header is wrong: another tag than the request's",
  wrongMessageId: "its header is wrong: not a device message",
  sizeOverRequest: "its header is wrong: larger than was asked for",
  shortHeader: "its header is wrong: shorter than a header",
  emptyAnswer: "it is empty and not the last one",
} as const;

for (const [kind, reason] of Object.entries(MALFORMED)) {
  testOn(
    "preload",
    `call ends with 76 and one sentence for an instrument of the kind ${kind}`,
    async () => {
      using folder = new Folder();
      const { code, out, err } = await driverspace([
        ...["call", "usbtmc", "*IDN?", "--virtual", `misbehaving:${kind}`],
        ...["--direct", "--log", `${folder.path}/a.log`],
      ]);
      assertEquals([code, out], [76, ""], err);
      assertStringIncludes(err, "driverspace: Cannot read an answer on 1209:");
      assertStringIncludes(err, reason);
      assertEquals(err.trimEnd().split("\n").length, 1, err);
    },
  );
}

testOn(
  "notify",
  "run ends with 76 for malformed messages, in the full sandbox as well",
  async () => {
    using folder = new Folder();
    const { code, out, err } = await driverspace([
      ...["run", "usbtmc", "--virtual", "misbehaving:wrongTag", "--json"],
      ...["--log", `${folder.path}/a.log`],
    ]);
    assertEquals(code, 76, err);
    const last = JSON.parse(out.trimEnd().split("\n").at(-1) ?? "");
    assertEquals([last.type, last.exit_code], ["error", 76]);
    assertStringIncludes(last.message, "another tag than the request's");
  },
);

testOn(
  "notify",
  "A call that ended with 76 leaves nothing claimed: the next is not busy",
  async () => {
    using folder = new Folder();
    const cli = new URL("../../cli.ts", import.meta.url).pathname;
    const line = [
      ...[Deno.execPath(), "run", "--quiet", "--allow-all", cli],
      ...["call", "usbtmc", "'*IDN?'", "--device", "1209:0005", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ].join(" ");
    const { code, err } = await driverspace([
      ...["simulate", "misbehaving:wrongTag", "--transport", "notify"],
      ...["--", "sh", "-c", `${line}; ${line}`],
    ]);
    assertEquals(code, 76, err);
    assertEquals(err.match(/another tag/g)?.length, 2, err);
  },
);

Deno.test("A kind of a virtual device that there is not ends with 78 and a suggestion", async () => {
  const toolbox = fakeToolbox({
    tools: {
      virtualDevices: [
        { name: "multimeter", description: "" },
        { name: "misbehaving", description: "", variants: ["wrongTag"] },
      ],
    },
  });
  const run = (name: string): ReturnType<typeof call> =>
    call(["call", "usbtmc", "*IDN?", "--virtual", name], toolbox);
  const wrong = await run("misbehaving:wrongtag");
  assertEquals(wrong.code, 78);
  assertStringIncludes(wrong.err, "Did you mean wrongTag?");
  const none = await run("multimeter:wrongTag");
  assertEquals(none.code, 78);
  assertStringIncludes(none.err, "There is one kind: --virtual multimeter");
});
