/** Asks the C compiler what libusb.h says. */

const PRELUDE = `#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <libusb-1.0/libusb.h>
int main(void) {
`;

/**
 * The value of each C expression, of an integer type. `undefined`, with the
 * reason on standard error, where there is no compiler or no header.
 */
export async function evaluateInC(
  expressions: readonly string[],
): Promise<Map<string, number> | undefined> {
  const lines = expressions.map((expression) =>
    `  printf("%lld\\n", (long long)(${expression}));\n`
  );
  const source = `${PRELUDE}${lines.join("")}  return 0;\n}\n`;
  const place = await Deno.makeTempDir({ prefix: "ffi-c." });
  try {
    await Deno.writeTextFile(`${place}/ask.c`, source);
    const compiled = await run("cc", [
      "-o",
      `${place}/ask`,
      `${place}/ask.c`,
    ]);
    if (compiled === undefined) return undefined;
    const printed = await run(`${place}/ask`, []);
    const numbers = (printed ?? "").trim().split("\n").map(Number);
    return new Map(expressions.map((text, n) => [text, numbers[n] ?? NaN]));
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

/** Whether there are a compiler and the header. */
export async function hasCompiler(): Promise<boolean> {
  return await evaluateInC(["1"]) !== undefined;
}

async function run(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const output = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    return output.success ? new TextDecoder().decode(output.stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
