import {
  classifyExit,
  EXIT_SENTENCES,
  type ExitClass,
  type ExitEvidence,
  mayRetry,
} from "../../driver/host/exit_class.ts";
import { assertEquals } from "../../driver/std.ts";

const ENDED: ExitEvidence = {
  report: undefined,
  code: 0,
  signal: undefined,
  sent: undefined,
  wasReady: true,
};

const TABLE: readonly [what: string, Partial<ExitEvidence>, ExitClass][] = [
  ["stopped, said so", { sent: "stop", report: { reason: "clean" } }, "clean"],
  ["stopped, code 0 only", { sent: "stop" }, "clean"],
  ["ended by itself with code 0", {}, "fault"],
  ["ended by itself, calls it clean", { report: { reason: "clean" } }, "fault"],
  ["unplugged", { code: 69, report: { reason: "deviceGone" } }, "device-gone"],
  ["unplugged, no last words", { code: 69 }, "device-gone"],
  ["unplugged during stop", {
    sent: "stop",
    code: 69,
    report: { reason: "deviceGone" },
  }, "device-gone"],
  ["wrong option", { code: 78, wasReady: false }, "config"],
  [
    "wrong option, said so",
    { code: 1, report: { reason: "config" } },
    "config",
  ],
  ["launcher refused", { code: 77, wasReady: false }, "permission"],
  ["launcher may not open the node", {
    code: 77,
    wasReady: false,
    refusal: "device-access",
  }, "permission"],
  ["launcher found no node: it left", {
    code: 77,
    wasReady: false,
    refusal: "device-missing",
  }, "device-gone"],
  ["launcher found another device: it left", {
    code: 77,
    wasReady: false,
    refusal: "device-other",
  }, "device-gone"],
  ["somebody holds an interface", {
    code: 77,
    wasReady: false,
    refusal: "interface-busy",
  }, "fault"],
  ["device did not answer the launcher", {
    code: 77,
    wasReady: false,
    refusal: "device-io",
  }, "fault"],
  ["launcher's command line is wrong", {
    code: 78,
    wasReady: false,
    refusal: "configuration",
  }, "config"],
  ["handler threw", { code: 70, report: { reason: "fault" } }, "fault"],
  ["uncaught", { code: 1 }, "fault"],
  ["failed while stopping", { sent: "stop", code: 70 }, "fault"],
  ["device broke its protocol", {
    code: 76,
    report: { reason: "protocol" },
  }, "protocol"],
  ["SIGSEGV", { code: 139, signal: "SIGSEGV" }, "native-crash"],
  ["SIGABRT", { code: 134, signal: "SIGABRT" }, "native-crash"],
  ["SIGBUS", { code: 135, signal: "SIGBUS" }, "native-crash"],
  ["139 through a wrapper", { code: 139 }, "native-crash"],
  ["heap limit", { code: 133, signal: "SIGTRAP" }, "out-of-memory"],
  ["killed by the kernel", { code: 137, signal: "SIGKILL" }, "out-of-memory"],
  ["heap limit before ready", {
    code: 133,
    signal: "SIGTRAP",
    wasReady: false,
  }, "start-crash"],
  ["SIGSEGV before ready", {
    code: 139,
    signal: "SIGSEGV",
    wasReady: false,
  }, "start-crash"],
  ["forbidden system call", { code: 159, signal: "SIGSYS" }, "sandbox-kill"],
  ["forbidden system call before ready", {
    code: 159,
    wasReady: false,
  }, "sandbox-kill"],
  ["missed heartbeats", {
    code: 137,
    signal: "SIGKILL",
    sent: "kill-hang",
  }, "hang"],
  ["not ready in time", {
    code: 137,
    signal: "SIGKILL",
    sent: "kill-hang",
    wasReady: false,
  }, "hang"],
  ["sent no frames", { signal: "SIGKILL", sent: "kill-protocol" }, "protocol"],
  ["confined less than demanded", {
    signal: "SIGKILL",
    sent: "kill-refused",
  }, "permission"],
  ["second Ctrl-C", { signal: "SIGKILL", sent: "kill-insist" }, "killed"],
  ["stopped before it had begun", {
    signal: "SIGKILL",
    sent: "kill-unbegun",
    wasReady: false,
  }, "clean"],
  ["Ctrl-C at a terminal while starting", {
    code: 130,
    signal: "SIGINT",
    sent: "stop",
    wasReady: false,
  }, "clean"],
  ["SIGINT that nobody asked for", {
    code: 130,
    signal: "SIGINT",
  }, "fault"],
  ["unknown signal", { code: 129, signal: "SIGHUP" }, "fault"],
];

Deno.test("Exit classes follow the table", () => {
  for (const [what, evidence, expected] of TABLE) {
    assertEquals(classifyExit({ ...ENDED, ...evidence }), expected, what);
  }
});

Deno.test("Exit classes config, permission, clean and killed are never retried", () => {
  const never = Object.keys(EXIT_SENTENCES).filter((name) =>
    !mayRetry(name as ExitClass)
  );
  assertEquals(never, ["clean", "config", "permission", "killed"]);
});
