/** The terminal's dialog for `requestDevice`, and what permissions hide. */

import {
  type ChooserIo,
  terminalChooser,
} from "../../driver/host/cli/device_chooser.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { WebBench } from "./bench.ts";
import { DescribedDevice } from "./devices/described_device.ts";

/** A terminal at which somebody types these lines. */
function typing(
  ...lines: string[]
): ChooserIo & { readonly shown: string[] } {
  const shown: string[] = [];
  return {
    shown,
    isTerminal: true,
    print: (text) => void shown.push(text),
    readLine: () => Promise.resolve(lines.shift()),
  };
}

async function choose(io: ChooserIo): Promise<string> {
  await using bench = new WebBench({ chooser: terminalChooser(io) });
  bench.bus.plug(new Loopback({ serialNumber: "first" }));
  bench.bus.plug(
    new DescribedDevice({ texts: ["Evil\x1b[2J", "Thing\n9  ff", "second"] }),
  );
  const asked = bench.usb.requestDevice({ filters: [] });
  return await asked.then((d) => d.serialNumber ?? "", (error) => error.name);
}

Deno.test("Terminal chooser gives the device of the number typed", async () => {
  const io = typing("2\r");
  assertEquals(await choose(io), "second");
  assertStringIncludes(
    io.shown.join(""),
    "1  1209:0001  Driver Space Loopback",
  );
});

Deno.test("Terminal chooser asks again, and gives up some time", async () => {
  assertEquals(await choose(typing("0", "x", "3", "1")), "first");
  const silly = typing(...Array<string>(20).fill("99"));
  assertEquals(await choose(silly), "NotFoundError");
});

Deno.test("Terminal chooser gives none for Enter, at the end of input, without a terminal", async () => {
  assertEquals(await choose(typing("")), "NotFoundError");
  assertEquals(await choose(typing()), "NotFoundError");
  const nobody = { ...typing("1"), isTerminal: false };
  assertEquals(await choose(nobody), "NotFoundError");
});

Deno.test("Terminal chooser shows no escapes of a device's names", async () => {
  const io = typing("1");
  await choose(io);
  const text = io.shown.join("");
  assert(!text.includes("\x1b"), text);
  assertEquals(text.split("\n").length, 4, "a line for each device");
});

Deno.test("isNodePermitted hides devices whose nodes the runtime leaves out", async () => {
  const allowed = "/dev/bus/usb/001/002";
  const module = new URL("../../ffi/node_permission.ts", import.meta.url).href;
  const script = `
    import { isNodePermitted } from ${JSON.stringify(module)};
    console.log(JSON.stringify([
      isNodePermitted({ nodePath: ${JSON.stringify(allowed)} }),
      isNodePermitted({ nodePath: "/dev/bus/usb/001/003" }),
      isNodePermitted({ nodePath: undefined }),
    ]));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt"],
      ...[`--allow-read=${allowed}`, `--allow-write=${allowed}`],
      `data:application/typescript,${encodeURIComponent(script)}`,
    ],
    stderr: "inherit",
  });
  const { stdout } = await child.output();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [
    true,
    false,
    true,
  ]);
});
