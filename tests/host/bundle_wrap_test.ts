import { bodyOf, wrapBody } from "../../driver/host/bundle_wrap.ts";
import { assertEquals, assertMatch } from "../../driver/std.ts";

async function outputOf(code: string, args: string[] = []): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(path, code);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-config", "--no-lock", path, ...args],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(60_000),
    }).output();
    return new TextDecoder().decode(new Uint8Array([...stdout, ...stderr]));
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("A wrapped program runs as its module would, whatever characters it holds", async () => {
  const code = 'const word = `\u2028 \\` " \u{1F50C} ${Deno.args[0]}`;\n' +
    "await Promise.resolve();\n" +
    "if (import.meta.main) console.log(word, this === undefined);\n" +
    'const text = "import.meta";\nconsole.log(text);\n' +
    "export {\n  word\n};\n";
  const body = bodyOf(code);
  assertEquals(body?.includes("export"), false);
  const output = await outputOf(wrapBody(body ?? "", "driver.js"), ["on"]);
  assertEquals(output, '\u2028 ` " \u{1F50C} on true\nimport.meta\n');
});

Deno.test("A wrapped program may hold what ends a comment", async () => {
  const body = "const all = `*/* *~/ ${/[*]/.exec('*')}`;\n" +
    'console.log(all, /a*/.source, "/*", "*~~/");\n';
  const output = await outputOf(wrapBody(body, "driver.js"));
  assertEquals(output, "*/* *~/ * a* /* *~~/\n");
});

Deno.test("A wrapped program's failure names it and its functions", async () => {
  const body = 'function wire() { throw new Error("loose"); }\nwire();\n';
  const output = await outputOf(wrapBody(body, "driver.js"));
  assertMatch(output, /loose[\s\S]*wire[\s\S]*driver\.js/);
});

Deno.test("A program that imports or exports for others stays a module", () => {
  for (
    const code of [
      'import { writeSync } from "node:fs";\nwriteSync(1, "");\n',
      "export const a = 1;\nexport { a as b };\na;\n",
      "export default 1;\n",
    ]
  ) assertEquals(bodyOf(code), undefined, code);
  assertEquals(
    bodyOf('"import x";\n// export y\n'),
    '"import x";\n// export y\n',
  );
});
