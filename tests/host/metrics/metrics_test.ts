import { DriverMetrics } from "../../../driver/host/metrics/driver_metrics.ts";
import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import {
  MetricRegistry,
  SERIES_MAX,
} from "../../../driver/host/metrics/registry.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { beat, READY, TELEMETRY } from "../fake_process.ts";

/** The interface: whoever changes a line breaks somebody's dashboard. */
const AGREED = `
build_info gauge version deno libusb
driver_info gauge driver vendor_id product_id port serial
driver_up gauge driver
driver_state gauge driver state
driver_standby gauge driver
driver_starts_total counter driver
driver_restarts_total counter driver reason
driver_recovery_seconds histogram driver
driver_start_timestamp_seconds gauge driver
driver_last_heartbeat_timestamp_seconds gauge driver
safe_state_total counter driver result
crash_bundles_total counter driver result
transfers_total counter driver endpoint type status
transfer_bytes_total counter driver endpoint direction
transfer_duration_seconds histogram driver type
handler_latency_seconds histogram driver
transfers_in_flight gauge driver endpoint
retries_total counter driver reason
mailbox_depth gauge driver lane
mailbox_capacity gauge driver lane
mailbox_dropped_total counter driver endpoint lane policy
endpoint_paused gauge driver endpoint
loop_lag_seconds histogram driver
log_lines_total counter driver level
log_dropped_total counter driver reason
event_clients gauge
event_clients_cut_total counter reason
sandbox_info gauge driver landlock_abi seccomp
sandbox_denials_total counter driver
`;

function fedRegistry(): MetricRegistry {
  const registry = new MetricRegistry(FAMILIES);
  const metrics = new DriverMetrics(registry, {
    driver: "dmm",
    clock: new VirtualClock(),
  });
  registry.set("driverspace_build_info", {
    version: "0.1.0",
    deno: "2.9.6",
    libusb: "1.0.26",
  }, 1);
  const atMs = 0;
  const cause = undefined;
  metrics.transition({ from: "stopped", to: "starting", cause, atMs });
  metrics.transition({ from: "starting", to: "ready", cause, atMs });
  metrics.frame(READY);
  metrics.frame({ ...beat(1), lagMs: 3 } as DriverFrame);
  metrics.frame({ ...beat(2), lagMs: 70, telemetry: TELEMETRY } as DriverFrame);
  metrics.ended("native-crash");
  metrics.safeState("done");
  metrics.recovered(83);
  metrics.frame({ ...beat(1), telemetry: TELEMETRY } as DriverFrame);
  return registry;
}

Deno.test("Names, types and labels of the metrics are those that were agreed", () => {
  const have = FAMILIES.map(({ name, type, labels }) =>
    [name.replace("driverspace_", ""), type, ...labels].join(" ")
  );
  assertEquals(have, AGREED.trim().split("\n"));
});

Deno.test("Every reason and state of a driver is there as 0 before it happens", () => {
  const text = fedRegistry().exposition();
  for (
    const line of [
      'driverspace_driver_restarts_total{driver="dmm",reason="hang"} 0',
      'driverspace_driver_restarts_total{driver="dmm",reason="native-crash"} 1',
      'driverspace_driver_state{driver="dmm",state="ready"} 1',
      'driverspace_driver_state{driver="dmm",state="unkillable"} 0',
      'driverspace_safe_state_total{driver="dmm",result="done"} 1',
      'driverspace_mailbox_capacity{driver="dmm",lane="reports"} 1024',
      'driverspace_driver_recovery_seconds_bucket{driver="dmm",le="0.05"} 0',
      'driverspace_driver_recovery_seconds_bucket{driver="dmm",le="0.1"} 1',
      'driverspace_driver_recovery_seconds_bucket{driver="dmm",le="+Inf"} 1',
      'driverspace_driver_recovery_seconds_count{driver="dmm"} 1',
    ]
  ) assertStringIncludes(text, `${line}\n`);
});

Deno.test("A device that speaks Prometheus cannot add lines", () => {
  const registry = new MetricRegistry(FAMILIES);
  const clock = new VirtualClock();
  const metrics = new DriverMetrics(registry, { driver: "dmm", clock });
  assert(READY.type === "ready");
  const serial = 'X"} 1\ndriverspace_evil 1\n\\';
  metrics.frame({ ...READY, device: { ...READY.device, serial } });
  const lines = registry.exposition().split("\n");
  assertEquals(lines.filter((line) => line.startsWith("driverspace_evil")), []);
  metrics.frame(READY);
  const infos = registry.exposition().split("\n").filter((line) =>
    line.startsWith("driverspace_driver_info{")
  );
  assertEquals(infos.length, 1, "The device before is forgotten");
  metrics[Symbol.dispose]();
  assertEquals(registry.exposition(), "");
});

Deno.test("A registry is bounded, and wrong labels are a bug", () => {
  const registry = new MetricRegistry([
    { name: "a_total", type: "counter", help: "A.", labels: ["b"] },
  ]);
  for (let at = 0; at < SERIES_MAX + 10; at++) {
    registry.add("a_total", { b: String(at) });
  }
  assertEquals(
    registry.exposition().trim().split("\n").length,
    SERIES_MAX + 2,
  );
  assertThrows(() => registry.add("a_total", { c: "1" }));
  assertThrows(() => registry.add("b_total"));
});

const PROMTOOL = "/usr/bin/promtool";

/** Debian's package is `prometheus`. */
async function hasPromtool(): Promise<boolean> {
  try {
    return (await Deno.stat(PROMTOOL)).isFile;
  } catch {
    return false;
  }
}

Deno.test({
  name: "The text is what promtool takes (Debian's package prometheus)",
  ignore: !await hasPromtool(),
  fn: async () => {
    const child = new Deno.Command(PROMTOOL, {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(fedRegistry().exposition()));
    await writer.close();
    const { code, stderr, stdout } = await child.output();
    const said = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    assertEquals([code, said], [0, ""]);
  },
});

Deno.test({
  name: "The shipped alert rules are what promtool takes",
  ignore: !await hasPromtool(),
  fn: async () => {
    const rules = new URL("../../../docs/alert_rules.yml", import.meta.url);
    const { code, stderr } = await new Deno.Command(PROMTOOL, {
      args: ["check", "rules", rules.pathname],
      stdout: "null",
      stderr: "piped",
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
});

Deno.test({
  name: "The shipped alert rules fire when they should, and only then",
  ignore: !await hasPromtool(),
  fn: async () => {
    const cases = new URL("./alert_rules_cases.yml", import.meta.url);
    const { code, stdout, stderr } = await new Deno.Command(PROMTOOL, {
      args: ["test", "rules", cases.pathname],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
  },
});

Deno.test("Every alert has a case in which it fires", async () => {
  const [rules, cases] = await Promise.all(
    ["../../../docs/alert_rules.yml", "./alert_rules_cases.yml"].map((path) =>
      Deno.readTextFile(new URL(path, import.meta.url))
    ),
  );
  const alerts = [...rules?.matchAll(/alert: (\w+)/g) ?? []].map(([, name]) =>
    name
  );
  assert(alerts.length > 0);
  const fired = [
    ...cases?.matchAll(/alertname: (\w+)\n\s+exp_alerts:/g) ?? [],
  ].map(([, name]) => name);
  assertEquals(fired.sort(), alerts.sort());
});

Deno.test("The shipped alert rules name metrics that exist", async () => {
  const rules = await Deno.readTextFile(
    new URL("../../../docs/alert_rules.yml", import.meta.url),
  );
  const names = new Set(FAMILIES.map(({ name }) => name));
  const used = rules.match(/driverspace_[a-z_]+/g) ?? [];
  assert(used.length > 0);
  assertEquals(used.filter((name) => !names.has(name)), []);
});
