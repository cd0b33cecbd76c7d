/**
 * The OpenAPI 3.1 document, made from the table of operations.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { TRANSFER_STATUSES } from "../../loop/endpoint_counters.ts";
import { RETRY_REASONS, TRANSFER_TYPES } from "../../loop/telemetry.ts";
import { LOG_LEVELS } from "../log_level.ts";
import { DRIVER_STATES } from "../supervisor/driver_states.ts";
import { type Operation, OPERATIONS } from "./operations.ts";
import type { JsonObject } from "./views.ts";

/** Makes the document. */
export function openApiDocument(version: string): JsonObject {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of OPERATIONS) {
    const path = paths[operation.path] ??= {};
    path[operation.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Driver Space supervisor", version },
    paths,
    components: { schemas: SCHEMAS },
  };
}

function describe(operation: Operation): JsonObject {
  const { id, summary, parameters = [], body, answers } = operation;
  return {
    operationId: id,
    summary,
    parameters: parameters.map((
      { required = false, values, ...parameter },
    ) => ({
      ...parameter,
      required,
      schema: values === undefined ? text : { ...text, enum: values },
    })),
    ...(body === undefined ? {} : {
      requestBody: { content: contentOf(body) },
    }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, what]) => [status, {
        description: what,
        content: contentOf(what),
      }]),
    ),
  };
}

function contentOf(what: string): JsonObject {
  if (what.includes("/")) return { [what]: { schema: { type: "string" } } };
  const schema = { $ref: `#/components/schemas/${what}` };
  return { "application/json": { schema } };
}

const text: JsonObject = { type: "string" };
const count: JsonObject = { type: "integer" };
const flag: JsonObject = { type: "boolean" };
const maybe = (type: string): JsonObject => ({ type: [type, "null"] });

/** Every member is there always, and no other. */
function whole(properties: Readonly<Record<string, JsonObject>>): JsonObject {
  return {
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

function listOf(items: JsonObject): JsonObject {
  return { type: "array", items };
}

/** Any of these members, each a count; what is 0 may be absent. */
function countsOf(names: readonly string[]): JsonObject {
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, count])),
    additionalProperties: false,
  };
}

const DRIVER: Readonly<Record<string, JsonObject>> = {
  name: text,
  driver: text,
  required: flag,
  state: { type: "string", enum: DRIVER_STATES },
  since: text,
  cause: maybe("string"),
  degraded: maybe("string"),
  device: {
    ...whole({
      label: text,
      vendor_id: text,
      product_id: text,
      serial: maybe("string"),
      port: text,
      manufacturer: maybe("string"),
      product: maybe("string"),
      version: text,
    }),
    type: ["object", "null"],
  },
  pid: maybe("integer"),
  standby: flag,
  starts: count,
  failures: count,
  "next_attempt_ms": maybe("number"),
  "heartbeat_age_ms": maybe("integer"),
  "loop_lag_ms": maybe("number"),
  reports: count,
  "reports_per_second": maybe("number"),
  "bytes_per_second": maybe("number"),
  dropped: count,
  "in_flight": count,
  mailbox: whole({ control: count, commands: count, reports: count }),
  "queued_commands": count,
  "safe_state": maybe("string"),
  log: maybe("string"),
  "last_exit": {
    ...whole({ class: text, message: text, bundle: maybe("string") }),
    type: ["object", "null"],
  },
  "exit_counts": { type: "object", additionalProperties: count },
};

/** By name; those of drivers say whether they are required, too. */
const CHECKS: JsonObject = {
  type: "object",
  additionalProperties: {
    type: "object",
    properties: {
      ok: flag,
      reason: text,
      required: flag,
      degraded: maybe("string"),
    },
    required: ["ok"],
    additionalProperties: false,
  },
};

const driverSchema: JsonObject = { $ref: "#/components/schemas/Driver" };

const SCHEMAS: Readonly<Record<string, JsonObject>> = {
  Error: whole({
    error: {
      type: "object",
      properties: { code: text, message: text, advice: text },
      required: ["code", "message"],
      additionalProperties: false,
    },
  }),
  Live: whole({ live: flag, tick_age_ms: count }),
  Ready: whole({ ready: flag, checks: CHECKS }),
  Driver: whole(DRIVER),
  Drivers: whole({ drivers: listOf(driverSchema) }),
  Status: whole({
    version: text,
    started: text,
    uptime_ms: count,
    stopping: flag,
    last_event: count,
    log: maybe("string"),
    configured: listOf(text),
    ready: flag,
    checks: CHECKS,
    drivers: listOf(driverSchema),
  }),
  DriverDetail: whole({
    ...DRIVER,
    endpoints: listOf(whole({
      endpoint: text,
      type: { ...text, enum: TRANSFER_TYPES },
      ended: countsOf(TRANSFER_STATUSES),
      bytes_in: count,
      bytes_out: count,
      in_flight: count,
      paused: flag,
    })),
    handler_latency: whole({
      bounds_ms: listOf({ type: "number" }),
      counts: listOf(count),
      sum_ms: { type: "number" },
    }),
    retries: countsOf(RETRY_REASONS),
    values: listOf(whole({
      event: text,
      data: { type: "object" },
      at: text,
      age_ms: count,
      stale: flag,
    })),
    "value_specs": maybe("object"),
    transitions: listOf(
      whole({ from: text, to: text, cause: maybe("string"), at: text }),
    ),
    exits: listOf(
      whole({ class: text, message: text, ready_ms: count, at: text }),
    ),
    commands: listOf(whole({
      name: text,
      description: text,
      idempotent: flag,
      timeout_ms: maybe("integer"),
      params: { type: "object" },
    })),
  }),
  DriverLog: whole({
    driver: text,
    dropped: count,
    lines: listOf(whole({
      sequence: count,
      at: text,
      level: { ...text, enum: LOG_LEVELS },
      from: { ...text, enum: ["driver", "supervisor"] },
      event: text,
      message: text,
      fields: { type: "object" },
    })),
  }),
  Command: {
    type: "object",
    properties: {
      params: { type: "object" },
      timeout_ms: { type: "integer", minimum: 1, maximum: 60_000 },
    },
    additionalProperties: false,
  },
  Result: whole({ value: {} }),
  Accepted: whole({ accepted: flag }),
  OpenApi: { type: "object" },
};
