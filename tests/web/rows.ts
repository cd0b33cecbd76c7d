/** Every row of the WebUSB checklist that is tested over the simulated port. */

import type { Row } from "./bench.ts";
import { PRECONDITION_ROWS } from "./precondition_rows.ts";
import { SHAPE_ROWS } from "./shape_rows.ts";

export const ROWS: readonly Row[] = [
  ...SHAPE_ROWS,
  ...PRECONDITION_ROWS,
];
