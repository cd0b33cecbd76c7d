/** Every row of the WebUSB checklist that is tested over the simulated port. */

import type { Row } from "./bench.ts";
import { ARGUMENT_ROWS } from "./argument_rows.ts";
import { ENDING_ROWS } from "./ending_rows.ts";
import { EVENT_ROWS } from "./event_rows.ts";
import { FILTER_ROWS } from "./filter_rows.ts";
import { HOSTILE_ROWS } from "./hostile_rows.ts";
import { LIFE_ROWS } from "./life_rows.ts";
import { OBJECT_ROWS } from "./object_rows.ts";
import { PRECONDITION_ROWS } from "./precondition_rows.ts";
import { SHAPE_ROWS } from "./shape_rows.ts";
import { STREAM_ROWS } from "./stream_rows.ts";
import { TRANSFER_ROWS } from "./transfer_rows.ts";
import { USB_ROWS } from "./usb_rows.ts";

export const ROWS: readonly Row[] = [
  ...SHAPE_ROWS,
  ...USB_ROWS,
  ...FILTER_ROWS,
  ...EVENT_ROWS,
  ...OBJECT_ROWS,
  ...PRECONDITION_ROWS,
  ...ARGUMENT_ROWS,
  ...TRANSFER_ROWS,
  ...ENDING_ROWS,
  ...LIFE_ROWS,
  ...STREAM_ROWS,
  ...HOSTILE_ROWS,
];
