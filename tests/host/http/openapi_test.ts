/** The document and the handlers: neither has what the other lacks. */

import { OPERATIONS } from "../../../driver/host/http/operations.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { beat, TELEMETRY } from "../fake_process.ts";
import { configure } from "../supervisor/supervisor_bench.ts";
import { HttpBench } from "./http_bench.ts";

// deno-lint-ignore no-explicit-any -- a schema is JSON of any shape
type Schema = any;

/** What of a value does not meet a schema; as much of JSON Schema as the document uses. */
function faults(
  value: unknown,
  schema: Schema,
  all: Schema,
  at = "$",
): string[] {
  if (schema.$ref !== undefined) {
    return faults(value, all[schema.$ref.split("/").at(-1)], all, at);
  }
  const found: string[] = [];
  const types: string[] = [schema.type ?? []].flat();
  if (types.length > 0 && !types.includes(typeOf(value, types))) {
    return [`${at} is ${typeOf(value, types)}, not ${types}`];
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    found.push(`${at} is ${value}`);
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      found.push(...faults(item, schema.items ?? {}, all, `${at}[${index}]`));
    }
  } else if (typeof value === "object" && value !== null) {
    const members = value as Record<string, unknown>;
    for (const name of schema.required ?? []) {
      if (!Object.hasOwn(members, name)) found.push(`${at}.${name} is missing`);
    }
    for (const [name, member] of Object.entries(members)) {
      const known = schema.properties?.[name];
      const { additionalProperties: others } = schema;
      const fitting = known ??
        (typeof others === "object" ? others : undefined);
      if (fitting !== undefined) {
        found.push(...faults(member, fitting, all, `${at}.${name}`));
      } else if (schema.additionalProperties === false) {
        found.push(`${at}.${name} is not in the document`);
      } else if (schema.additionalProperties !== undefined) {
        const others = schema.additionalProperties;
        found.push(...faults(member, others, all, `${at}.${name}`));
      }
    }
  }
  return found;
}

function typeOf(value: unknown, wanted: readonly string[]): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const isWhole = Number.isInteger(value) && wanted.includes("integer");
  return isWhole ? "integer" : typeof value;
}

/** A request for each operation, and for what may go wrong with it. */
const REQUESTS: Readonly<
  Record<string, readonly [path: string, body?: unknown][]>
> = {
  getLive: [["/livez"]],
  getReady: [["/readyz"]],
  getHealth: [["/healthz"]],
  getMetrics: [["/metrics"]],
  getStatus: [["/status"]],
  listDrivers: [["/drivers"]],
  getDriver: [["/drivers/a"], ["/drivers/absent"], ["/drivers/z"]],
  getDriverLog: [
    ["/drivers/a/log"],
    ["/drivers/a/log?level=warn&lines=1"],
    ["/drivers/a/log?level=loud"],
    ["/drivers/z/log"],
  ],
  streamEvents: [["/events"], ["/events?log=loud"]],
  runCommand: [
    ["/drivers/a/commands/query", { params: { message: "*IDN?" } }],
    ["/drivers/a/commands/query", { params: { message: "fail" } }],
    ["/drivers/a/commands/query", { params: {} }],
    ["/drivers/a/commands/none", {}],
    ["/drivers/absent/commands/query", { params: { message: "x" } }],
  ],
  retryDriver: [["/drivers/a/retry"], ["/drivers/z/retry"]],
  getOpenApi: [["/openapi.json"]],
};

Deno.test("What the handlers answer is what the OpenAPI document says", async () => {
  const bench = new HttpBench();
  await bench.supervisor.start(configure({ a: "A", absent: "none" }));
  await bench.pass(500);
  bench.processes[0]?.process.say({
    type: "event",
    sequence: 1,
    event: "reading",
    data: { volts: 1 },
  }, {
    type: "log",
    level: "warn",
    event: "meter.late",
    message: "Late",
  });
  await bench.pass(250);
  bench.processes[0]?.process.say(
    { ...beat(9), telemetry: TELEMETRY } as DriverFrame,
  );
  await bench.clock.advance(0);
  bench.processes[0]?.process.end(1);
  await bench.pass(500);
  const document = await (await bench.get("/openapi.json")).json();
  const schemas = document.components.schemas;
  for (const { id, method, path } of OPERATIONS) {
    const described = document.paths[path][method.toLowerCase()];
    assertEquals(described.operationId, id);
    for (const [target, body] of REQUESTS[id] ?? []) {
      const response = method === "GET"
        ? await bench.get(target)
        : await bench.post(target, body ?? "");
      const answer = described.responses[String(response.status)];
      assert(answer !== undefined, `${id} answers ${response.status}`);
      const [media] = Object.keys(answer.content);
      assertEquals(
        response.headers.get("content-type")?.split(";")[0],
        media,
        id,
      );
      if (media !== "application/json") {
        await response.body?.cancel();
        continue;
      }
      const { schema } = answer.content[media];
      assertEquals(faults(await response.json(), schema, schemas), [], target);
    }
  }
  await bench.stop();
});

Deno.test("The document has every operation, every schema and every path parameter", async () => {
  const bench = new HttpBench();
  const document = await (await bench.get("/openapi.json")).json();
  assertEquals(Object.keys(REQUESTS), OPERATIONS.map(({ id }) => id));
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
    assert(document.components.schemas[name ?? ""] !== undefined, name);
  }
  for (const { path, parameters = [] } of OPERATIONS) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
    const declared = parameters.filter((parameter) => parameter.in === "path");
    assertEquals(declared.map(({ name }) => name), inPath);
  }
});
