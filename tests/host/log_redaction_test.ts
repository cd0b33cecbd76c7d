import type { Json } from "../../driver/driver.ts";
import { Redactor } from "../../driver/host/log_redaction.ts";
import { assertEquals } from "../../driver/std.ts";

/** The superuser's home, which stands beside those of the others. */
const ROOT = "/root";

Deno.test("A sentence loses paths under home directories, and nothing else", () => {
  const redactor = new Redactor();
  const cases: readonly [text: string, shown: string][] = [
    [
      "Cannot write the log /home/ann/lab/dmm.log: the disk is full",
      "Cannot write the log ~/…: the disk is full",
    ],
    ['open "/Users/ann/My-Lab/a.ts"', 'open "~/…"'],
    [`(/var/home/ann/a), (${ROOT}/lab/b)`, "(~/…), (~/…)"],
    [ROOT, "~/…"],
    ["at file:///home/ann/d.ts:3:7", "at file://~/…:3:7"],
    ["/var/log/driverspace/dmm.log", "/var/log/driverspace/dmm.log"],
    ["/srv/homes/x /rooted/y /home", "/srv/homes/x /rooted/y /home"],
    ["Ready on 1209:0002@1-1", "Ready on 1209:0002@1-1"],
  ];
  for (const [text, shown] of cases) assertEquals(redactor.text(text), shown);
});

Deno.test("A sentence loses serial numbers that are known, where they stand alone", () => {
  const redactor = new Redactor();
  redactor.hide("MY47000001");
  redactor.hide("a.b*(c");
  redactor.hide("0002");
  redactor.hide(undefined);
  assertEquals(
    redactor.text("MY47000001, MY470000012, xMY47000001 and a.b*(c of 0002"),
    "[serial], MY470000012, xMY47000001 and [serial] of 0002",
  );
});

Deno.test("Fields lose serial numbers and payloads by their names, at any depth", () => {
  const redactor = new Redactor();
  redactor.hide("MY47000001");
  const fields: Record<string, Json> = {
    "serial_number": "X",
    serialNumber: "X",
    dev: { vid: "0957", serial: "X" },
    data: "AAECAw==",
    answer: "+1.0",
    raw: [1, 2],
    bytes: 12,
    list: [{ payload: { a: 1 } }, "of MY47000001"],
    path: "/home/ann/x",
    volts: 1.5,
    ok: true,
    none: null,
  };
  assertEquals(redactor.fields(fields), {
    "serial_number": "[serial]",
    serialNumber: "[serial]",
    dev: { vid: "0957", serial: "[serial]" },
    data: "[8 characters]",
    answer: "[4 characters]",
    raw: "[payload]",
    bytes: 12,
    list: [{ payload: "[payload]" }, "of [serial]"],
    path: "~/…",
    volts: 1.5,
    ok: true,
    none: null,
  });
});

Deno.test("What is nested without end costs a bounded piece of work", () => {
  const cycle: Record<string, Json> = {};
  cycle["a"] = cycle;
  const shown = JSON.stringify(new Redactor().fields(cycle));
  assertEquals(shown.match(/"a"/g)?.length, 8);
});
