import { assertEquals, assertThrows } from "../../../driver/std.ts";
import { AssertionError } from "../../../driver/assert.ts";
import {
  FATAL_CALLS,
  STAGE2_PATH_CALLS,
} from "../../../driver/host/sandbox_policy_calls.ts";
import {
  requestsFor,
  USB_REQUESTS,
  USB_REQUESTS_NEVER,
  USB_REQUESTS_OF_THE_LAUNCHER,
} from "../../../driver/host/sandbox_policy_requests.ts";
import {
  ALLOW,
  assemble,
  failWith,
  type Filter,
  interpret,
  KILL,
} from "../../../ffi/linux/bpf.ts";
import { ERRNO } from "../../../ffi/linux/errno.ts";
import {
  DEVICE_DESCRIPTOR,
  driverFilter,
  lockdownFilter,
  LOG_DESCRIPTOR,
} from "../../../ffi/linux/seccomp.ts";
import {
  type Architecture,
  isSyscallName,
  type SyscallName,
  syscallNumber,
} from "../../../ffi/linux/syscalls.ts";

const PROCESS = 77;
const PAGE = 0x1234_5678_0000n;
const ARCHITECTURES: readonly Architecture[] = ["x86_64", "aarch64"];

function request(name: string): number {
  return USB_REQUESTS.find((known) => known.name === name)?.number ?? 0;
}

type Case = readonly [
  call: SyscallName,
  args: readonly (number | bigint)[],
  verdict: number,
];

const EPERM = failWith(ERRNO.EPERM);
const EACCES = failWith(ERRNO.EACCES);
const EINVAL = failWith(ERRNO.EINVAL);

const DRIVER: readonly Case[] = [
  ["read", [0], ALLOW],
  ["openat", [], ALLOW],
  ["ioctl", [DEVICE_DESCRIPTOR, request("SUBMITURB")], ALLOW],
  // The kernel truncates descriptor and request to 32 bits.
  [
    "ioctl",
    [BigInt(DEVICE_DESCRIPTOR) | (1n << 40n), request("SUBMITURB")],
    ALLOW,
  ],
  [
    "ioctl",
    [DEVICE_DESCRIPTOR, BigInt(request("SUBMITURB")) | (1n << 40n)],
    ALLOW,
  ],
  ["ioctl", [LOG_DESCRIPTOR, request("SUBMITURB")], EPERM],
  ["ioctl", [2, 0x5412], EPERM],
  ["ioctl", [1, 0x5401], failWith(ERRNO.ENOTTY)],
  ["ioctl", [0, 0x5421], ALLOW],
  ["clone", [0x3d0f00], ALLOW],
  ["clone", [17], EPERM],
  ["clone", [0x10000000 | 17], EPERM],
  ["clone3", [], failWith(ERRNO.ENOSYS)],
  ["kill", [PROCESS, 15], ALLOW],
  ["kill", [-1, 0], EPERM],
  ["kill", [-PROCESS, 9], EPERM],
  ["tgkill", [PROCESS, 80, 6], ALLOW],
  ["tgkill", [1, 1, 0], EPERM],
  ["execve", [PAGE], ALLOW],
  ["execve", [PAGE + 1n], KILL],
  ["execve", [PAGE | (1n << 47n)], KILL],
  ["fcntl", [3, 3], ALLOW],
  ["fcntl", [3, 4], EINVAL],
  ["prctl", [15], ALLOW],
  ["prctl", [1, 0], EINVAL],
  // A standby may bind itself to its parent; nobody may be bound more loosely.
  ["prctl", [1, 9], ALLOW],
  ["prctl", [1, 15], EINVAL],
  ["prctl", [1, 9n << 32n | 9n], EINVAL],
  ["socket", [2, 1], EPERM],
  ["socketpair", [1, 0o2000001], ALLOW],
  ["socketpair", [1, 2], EPERM],
  ["socketpair", [16, 1], EPERM],
  ["sendto", [5, 0, 0, 0, 0], ALLOW],
  ["sendto", [5, 0, 0, 0, 0x1000n], EPERM],
  ["sendto", [5, 0, 0, 0, 1n << 32n], EPERM],
  ["sendmsg", [5], EPERM],
  ["recvmsg", [5], EPERM],
  ["prlimit64", [0, 7, 0], ALLOW],
  ["prlimit64", [0, 7, 1n], EPERM],
  ["seccomp", [1, 1], ALLOW],
  ["seccomp", [0, 0], EINVAL],
  ["pwrite64", [], EPERM],
  ["renameat2", [], EPERM],
  ["openat2", [], EPERM],
  ["landlock_create_ruleset", [], EPERM],
];

const LOCKED: readonly Case[] = [
  ["openat", [], EACCES],
  ["newfstatat", [-100, 0, 0, 0], EACCES],
  ["newfstatat", [5, 0, 0, 0x1000], ALLOW],
  ["statx", [5, 0, 0, 0], EACCES],
  ["statx", [5, 0, 0x1000, 0], ALLOW],
  ["execve", [PAGE], KILL],
  ["execveat", [], KILL],
  ["seccomp", [1, 1], EPERM],
  ["ioctl", [DEVICE_DESCRIPTOR, request("SUBMITURB")], ALLOW],
  ["read", [0], ALLOW],
];

const NO_NEW_CODE: readonly Case[] = [
  ["mmap", [0, 4096, 3], ALLOW],
  ["mmap", [0, 4096, 7], EPERM],
  ["mprotect", [0, 4096, 5], EPERM],
  ["pkey_mprotect", [0, 4096, 4], EPERM],
];

function check(
  filter: Filter,
  cases: readonly Case[],
  architecture: Architecture,
): void {
  for (const [name, args, verdict] of cases) {
    const number = syscallNumber(name, architecture);
    if (number === undefined) continue;
    assertEquals(
      interpret(filter, { number, args, architecture }),
      verdict,
      `${architecture} ${name}(${args.join(", ")})`,
    );
  }
}

for (const architecture of ARCHITECTURES) {
  const driver = driverFilter({
    processId: PROCESS,
    requests: requestsFor([]).map(({ number }) => number),
    executableAddress: PAGE,
  }, architecture);

  Deno.test(`The driver's filter decides as listed on ${architecture}`, () => {
    check(driver, DRIVER, architecture);
  });

  Deno.test(`Every fatal call kills on ${architecture}`, () => {
    for (const name of FATAL_CALLS) {
      if (isSyscallName(name)) check(driver, [[name, [], KILL]], architecture);
    }
  });

  Deno.test(`Any number that no list names fails with EPERM on ${architecture}`, () => {
    for (const number of [0x1ff, 500, 1000, 0x3fffffff]) {
      assertEquals(interpret(driver, { number, architecture }), EPERM);
    }
  });

  Deno.test(`Requests of the launcher and forbidden ones never pass on ${architecture}`, () => {
    const demanding = driverFilter({
      processId: PROCESS,
      requests: requestsFor(["setConfiguration", "reset", "streams"]).map((
        { number },
      ) => number),
    }, architecture);
    const numbers = [
      ...Object.values(USB_REQUESTS_OF_THE_LAUNCHER),
      ...Object.values(USB_REQUESTS_NEVER),
    ];
    const cases = numbers.map((number): Case => [
      "ioctl",
      [DEVICE_DESCRIPTOR, number],
      EPERM,
    ]);
    check(demanding, cases, architecture);
    check(demanding, [["execve", [0], KILL]], architecture);
  });

  Deno.test(`A demanded request passes only when demanded on ${architecture}`, () => {
    const RESET = 0x5514;
    const withReset = driverFilter({
      processId: PROCESS,
      requests: requestsFor(["reset"]).map(({ number }) => number),
    }, architecture);
    check(driver, [["ioctl", [DEVICE_DESCRIPTOR, RESET], EPERM]], architecture);
    check(
      withReset,
      [["ioctl", [DEVICE_DESCRIPTOR, RESET], ALLOW]],
      architecture,
    );
  });

  Deno.test(`Stage 2 closes every path on ${architecture}`, () => {
    const locked = lockdownFilter({ noNewCode: true }, architecture);
    check(locked, LOCKED, architecture);
    check(locked, NO_NEW_CODE, architecture);
    for (const name of STAGE2_PATH_CALLS) {
      if (isSyscallName(name)) {
        check(locked, [[name, [], EACCES]], architecture);
      }
    }
    const withCode = lockdownFilter({ noNewCode: false }, architecture);
    check(withCode, LOCKED, architecture);
    check(withCode, [["mmap", [0, 4096, 7], ALLOW]], architecture);
  });

  Deno.test(`A word of another architecture kills on ${architecture}`, () => {
    const i386 = 0x40000003;
    assertEquals(
      interpret(driver, { number: 0, architecture, audit: i386 }),
      KILL,
    );
  });
}

Deno.test("Only the virtual profile makes sockets, Unix ones, until stage 2", () => {
  const cases = (verdict: number): readonly Case[] => [
    ["socket", [1, 1], verdict],
    ["socket", [2, 1], EPERM],
    ["socket", [16, 3], EPERM],
    ["connect", [5], verdict],
    ["bind", [5], verdict],
  ];
  const options = { processId: PROCESS, requests: [] };
  for (const architecture of ARCHITECTURES) {
    const plain = driverFilter(options, architecture);
    const virtual = driverFilter({ ...options, isVirtual: true }, architecture);
    check(plain, cases(EPERM), architecture);
    check(virtual, cases(ALLOW), architecture);
    const locked = lockdownFilter({ noNewCode: false }, architecture);
    check(locked, cases(EPERM), architecture);
  }
});

Deno.test("x32 numbers kill", () => {
  const filter = driverFilter({ processId: 1, requests: [] }, "x86_64");
  const number = 0x40000000 + 39;
  assertEquals(interpret(filter, { number, architecture: "x86_64" }), KILL);
});

Deno.test("A rule for an unknown call is a bug of ours", () => {
  assertThrows(
    () => assemble(new Map([["no_such_call", ALLOW]]), KILL, "x86_64"),
    AssertionError,
    "no_such_call",
  );
});

Deno.test("A rule without clauses gives its verdict", () => {
  const filter = assemble(
    new Map([["read", { clauses: [], otherwise: EINVAL }]]),
    ALLOW,
    "x86_64",
  );
  const verdict = interpret(filter, { number: 0, architecture: "x86_64" });
  assertEquals(verdict, EINVAL);
});

Deno.test("The interpreter refuses a program without an end", () => {
  assertThrows(
    () => interpret(new Uint8Array(0), { number: 0, architecture: "x86_64" }),
    RangeError,
  );
});
