/** A watching process without a process: says what it is told to. */

import {
  encodeWatchFrame,
  type WatchDevice,
  watchedDevice,
  type WatchFrame,
} from "../../../driver/host/watch_frames.ts";
import type { DeviceInfo } from "../../../driver/port.ts";
import { FakeProcess } from "../fake_process.ts";

/** First words of a sound one. */
export const HELLO: WatchFrame = {
  type: "hello",
  watch: 1,
  pid: 4711,
  libraryPath: "/usr/lib/libusb-1.0.so.0",
  libraryVersion: "1.0.30",
  boot: "boot",
};

/** A list as frames. */
export function listOf(
  devices: readonly DeviceInfo[],
  sequence = 1,
): WatchFrame[] {
  return [
    { type: "list", sequence, count: devices.length },
    ...devices.map((device): WatchDevice => watchedDevice(device)),
  ];
}

/** The process. */
export class WatchProcess extends FakeProcess {
  override readonly stdin: WritableStream<Uint8Array>;
  /** Ends when its input does. Default true. */
  obeys = true;
  isInputEnded = false;

  constructor() {
    super();
    this.stdin = new WritableStream({
      close: () => {
        this.isInputEnded = true;
        if (this.obeys) this.end(0);
      },
    });
  }

  /** Says frames. */
  tell(...frames: readonly WatchFrame[]): void {
    for (const frame of frames) this.sayBytes(encodeWatchFrame(frame));
  }
}
