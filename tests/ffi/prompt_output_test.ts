import { assertEquals } from "../../driver/std.ts";

const FIXTURE = new URL("./prompt_output_fixture.ts", import.meta.url).pathname;

Deno.test("What goes promptly goes on doing so, whatever the collector takes", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--v8-flags=--expose-gc", FIXTURE],
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  const lines = decoder.decode(stdout).trimEnd().split("\n");
  assertEquals(lines, lines.map((_, index) => `${index}`));
});
