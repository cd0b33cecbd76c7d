/**
 * `deno task webusb`: the WebUSB checklist, one line for each row, and how many
 * passed. Exits with 1 when one failed.
 */

import { isPreloadAvailable } from "../../ffi/linux/testing.ts";
import { runLibusbRows } from "./libusb_rows.ts";
import { ROWS } from "./rows.ts";

let passed = 0;
let failed = 0;

function report(section: string, item: string, failure?: unknown): void {
  if (failure === undefined) passed++;
  else failed++;
  const word = failure === undefined ? "ok    " : "FAILED";
  console.log(`${word}  ${section.padEnd(6)}  ${item}`);
  if (failure instanceof Error) console.log(failure.stack);
  else if (failure !== undefined) console.log(failure);
}

for (const { section, item, run } of ROWS) {
  try {
    await run();
    report(section, item);
  } catch (error) {
    report(section, item, error ?? "nothing was said");
  }
}
const answer = await isPreloadAvailable();
if (answer.isAvailable) {
  for (const { name, failure } of await runLibusbRows()) {
    report("libusb", name, failure);
  }
} else console.log(`The rows over libusb were not run: ${answer.reason}`);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
