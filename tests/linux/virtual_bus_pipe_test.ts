import { assert, assertEquals } from "../../driver/std.ts";
import { openLibc } from "../../ffi/linux/virtual_bus_libc.ts";
import { pipeInode } from "../../ffi/linux/virtual_bus_open_files.ts";
import { SessionPipe } from "../../ffi/linux/virtual_bus_pipe.ts";

const POLLOUT = 0x4;
const POLLERR = 0x8;
const POLLHUP = 0x10;

/** A pipe whose other end a client has, and what `poll()` says of both. */
function handedOver(): Disposable & {
  readonly pipe: SessionPipe;
  client(): number;
  bus(): number;
  clientCloses(): void;
} {
  const libc = openLibc();
  const pipe = SessionPipe.open(libc);
  assert(pipe !== undefined);
  const F_DUPFD = 0;
  const copy = libc.symbols.fcntl(pipe.writer, F_DUPFD, 0);
  pipe.handedOver();
  const poll = (descriptor: number, events: number): number => {
    const polled = new DataView(new ArrayBuffer(8));
    polled.setInt32(0, descriptor, true);
    polled.setInt16(4, events, true);
    libc.symbols.poll(polled, 1n, 0);
    return polled.getInt16(6, true);
  };
  let isOpen = true;
  return {
    pipe,
    client: () => poll(copy, POLLOUT),
    bus: () => poll(pipe.reader, 0),
    clientCloses: (): void => {
      if (isOpen) libc.symbols.close(copy);
      isOpen = false;
    },
    [Symbol.dispose](): void {
      this.clientCloses();
      pipe.close();
      pipe.close();
      libc.close();
    },
  };
}

Deno.test("Session pipe is ready when told so, and starts out not ready", () => {
  using ends = handedOver();
  assertEquals(ends.client(), 0);
  for (let round = 0; round < 3; round++) {
    ends.pipe.setReady(true);
    ends.pipe.setReady(true);
    assertEquals(ends.client(), POLLOUT);
    ends.pipe.setReady(false);
    assertEquals(ends.client(), 0);
  }
});

Deno.test("Session pipe sees its client close the last copy, ready or not", () => {
  for (const isReady of [true, false]) {
    using ends = handedOver();
    ends.pipe.setReady(true);
    ends.pipe.setReady(isReady);
    assertEquals(ends.bus(), 0);
    ends.clientCloses();
    assertEquals(ends.bus(), POLLHUP);
    // Readiness of a client that is gone changes nothing.
    ends.pipe.setReady(!isReady);
    assertEquals(ends.bus(), POLLHUP);
  }
});

Deno.test("Session pipe shows POLLERR to its client after a hangup", () => {
  using ends = handedOver();
  ends.pipe.hangup();
  assertEquals(ends.client() & POLLERR, POLLERR);
  ends.pipe.setReady(true);
  assertEquals(ends.pipe.reader, -1);
});

Deno.test("Session pipe is found by the number in its link, which nothing else has", () => {
  using ends = handedOver();
  const link = new TextEncoder().encode(`pipe:[${ends.pipe.inode}]`);
  assertEquals(pipeInode(link), ends.pipe.inode);
  for (const other of ["socket:[12]", "/dev/null", "anon_inode:[eventfd]"]) {
    assertEquals(pipeInode(new TextEncoder().encode(other)), -1);
  }
});
