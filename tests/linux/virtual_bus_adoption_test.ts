import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { Loopback, SystemClock, VirtualBus } from "../../ffi/linux/testing.ts";
import { NotifyTransport } from "../../ffi/linux/virtual_bus_notify.ts";
import { testOn } from "./shown_bus.ts";

/** Runs a program of ours with everything allowed. */
function denoCommand(name: string): string[] {
  const { href } = new URL(name, import.meta.url);
  const flags = ["--quiet", "--no-config", "--no-lock", "--allow-all"];
  return [Deno.execPath(), "run", ...flags, href];
}

testOn(
  "notify",
  "a launching thread that opens a file under its filter is served, not waited for",
  async () => {
    const bus = new VirtualBus({
      clock: new SystemClock(),
      random: Math.random,
    });
    bus.plug(new Loopback());
    await using transport = new NotifyTransport(bus, {
      launcher: denoCommand("./late_launcher.ts"),
    });
    await using client = await transport.spawn({
      program: "echo",
      args: ["started"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { status, text } = await client.output();
    assertEquals([status.code, text], [0, "started\n"]);
  },
);

testOn(
  "notify",
  "a launching half that ends without a filter is told as such",
  async () => {
    const bus = new VirtualBus({
      clock: new SystemClock(),
      random: Math.random,
    });
    await using transport = new NotifyTransport(bus, {
      launcher: [
        Deno.execPath(),
        "eval",
        `const [path] = Deno.args;
         const door = await Deno.connect({ transport: "unix", path });
         await door.write(new Uint8Array(Int32Array.of(Deno.pid, 0).buffer));`,
      ],
    });
    const message = await transport.spawn({ program: "true" }).then(
      () => "",
      (error: Error) => error.message,
    );
    assertStringIncludes(message, "the kernel refused a filter");
  },
);

Deno.test({
  name: "the launching half does not touch a machine that is not its own",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const launch = denoCommand("../../ffi/linux/virtual_bus_launch.ts");
    const command = [...launch, "/nowhere/door", "/tmp", "true"];
    // As root in mounts of its own: if it were not refused, nobody would notice.
    const line = Deno.uid() === 0 ? ["unshare", "-m", ...command] : command;
    const { code, stderr } = await new Deno.Command(line[0] ?? "", {
      args: line.slice(1),
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 1);
    assertStringIncludes(
      new TextDecoder().decode(stderr),
      "this process has no namespaces of its own",
    );
  },
});
