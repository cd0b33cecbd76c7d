/** The WebUSB checklist, a test for each row. */

import { ROWS } from "./rows.ts";

for (const { section, item, run } of ROWS) {
  Deno.test(`WebUSB ${section}: ${item}`, run);
}
