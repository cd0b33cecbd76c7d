/**
 * Structs of libusb and of poll(2) that we read or write, for 64-bit
 * platforms. Source: libusb.h of 1.0.23 to 1.0.30, where they are the same;
 * `tests/ffi/structs_test.ts` asks the C compiler.
 *
 * @module
 */

import { defineStruct } from "./layout.ts";

/** One transfer. The packet table of isochronous transfers begins at its end, unaligned. */
export const TRANSFER = defineStruct({
  cName: "struct libusb_transfer",
  sizeBytes: 64,
  fields: {
    dev_handle: [0, "pointer"],
    flags: [8, "u8"],
    endpoint: [9, "u8"],
    type: [10, "u8"],
    timeout: [12, "u32"],
    status: [16, "i32"],
    length: [20, "i32"],
    actual_length: [24, "i32"],
    callback: [32, "pointer"],
    user_data: [40, "pointer"],
    buffer: [48, "pointer"],
    num_iso_packets: [56, "i32"],
  },
});

/** `iso_packet_desc[0]` begins here: inside the padding of the struct. */
export const PACKET_TABLE_OFFSET = 60;

/** One isochronous packet. */
export const PACKET = defineStruct({
  cName: "struct libusb_iso_packet_descriptor",
  sizeBytes: 12,
  fields: {
    length: [0, "u32"],
    actual_length: [4, "u32"],
    status: [8, "i32"],
  },
});

/** The device descriptor, which on little-endian machines is the bytes the device sent. */
export const DEVICE_DESCRIPTOR = defineStruct({
  cName: "struct libusb_device_descriptor",
  sizeBytes: 18,
  fields: {
    bLength: [0, "u8"],
    bDescriptorType: [1, "u8"],
    bcdUSB: [2, "u16"],
    bDeviceClass: [4, "u8"],
    bDeviceSubClass: [5, "u8"],
    bDeviceProtocol: [6, "u8"],
    bMaxPacketSize0: [7, "u8"],
    idVendor: [8, "u16"],
    idProduct: [10, "u16"],
    bcdDevice: [12, "u16"],
    iManufacturer: [14, "u8"],
    iProduct: [15, "u8"],
    iSerialNumber: [16, "u8"],
    bNumConfigurations: [17, "u8"],
  },
});

/** Root of libusb's parsed tree. Its first nine bytes are the bytes sent. */
export const CONFIG_DESCRIPTOR = defineStruct({
  cName: "struct libusb_config_descriptor",
  sizeBytes: 40,
  fields: {
    bLength: [0, "u8"],
    wTotalLength: [2, "u16"],
    bNumInterfaces: [4, "u8"],
    bConfigurationValue: [5, "u8"],
    MaxPower: [8, "u8"],
    interface: [16, "pointer"],
    extra: [24, "pointer"],
    extra_length: [32, "i32"],
  },
});

/** All alternate settings of one interface. */
export const INTERFACE = defineStruct({
  cName: "struct libusb_interface",
  sizeBytes: 16,
  fields: {
    altsetting: [0, "pointer"],
    num_altsetting: [8, "i32"],
  },
});

/** One alternate setting. Its first nine bytes are the bytes sent. */
export const INTERFACE_DESCRIPTOR = defineStruct({
  cName: "struct libusb_interface_descriptor",
  sizeBytes: 40,
  fields: {
    bLength: [0, "u8"],
    bInterfaceNumber: [2, "u8"],
    bNumEndpoints: [4, "u8"],
    iInterface: [8, "u8"],
    endpoint: [16, "pointer"],
    extra: [24, "pointer"],
    extra_length: [32, "i32"],
  },
});

/** One endpoint. Its first seven bytes are the bytes sent. */
export const ENDPOINT_DESCRIPTOR = defineStruct({
  cName: "struct libusb_endpoint_descriptor",
  sizeBytes: 32,
  fields: {
    bLength: [0, "u8"],
    bEndpointAddress: [2, "u8"],
    wMaxPacketSize: [4, "u16"],
    bInterval: [6, "u8"],
    extra: [16, "pointer"],
    extra_length: [24, "i32"],
  },
});

/** Version of the library. */
export const VERSION = defineStruct({
  cName: "struct libusb_version",
  sizeBytes: 24,
  fields: {
    major: [0, "u16"],
    minor: [2, "u16"],
    micro: [4, "u16"],
    nano: [6, "u16"],
    rc: [8, "pointer"],
    describe: [16, "pointer"],
  },
});

/** A descriptor libusb wants to be polled. */
export const LIBUSB_POLLFD = defineStruct({
  cName: "struct libusb_pollfd",
  sizeBytes: 8,
  fields: { fd: [0, "i32"], events: [4, "i16"] },
});

/** The same for poll(2), with its answer. */
export const POLLFD = defineStruct({
  cName: "struct pollfd",
  sizeBytes: 8,
  fields: { fd: [0, "i32"], events: [4, "i16"], revents: [6, "i16"] },
});

/** Seconds and microseconds; `libusb_handle_events_*`. */
export const TIMEVAL = defineStruct({
  cName: "struct timeval",
  sizeBytes: 16,
  fields: { tv_sec: [0, "i64"], tv_usec: [8, "i64"] },
});

/** Seconds and nanoseconds; ppoll(2). */
export const TIMESPEC = defineStruct({
  cName: "struct timespec",
  sizeBytes: 16,
  fields: { tv_sec: [0, "i64"], tv_nsec: [8, "i64"] },
});

/** An option for `libusb_init_context` (1.0.27); the value is a union of int and pointer. */
export const INIT_OPTION_BYTES = 16;
