/**
 * `deno task webusb`: the WebUSB checklist, one line for each row, and how many
 * passed. Exits with 1 when one failed.
 */

import { ROWS } from "./rows.ts";

let passed = 0;
let failed = 0;
for (const { section, item, run } of ROWS) {
  try {
    await run();
    passed++;
    console.log(`ok      ${section.padEnd(4)} ${item}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${section.padEnd(4)} ${item}`);
    console.log(error instanceof Error ? error.stack : error);
  }
}
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
