import {
  alignedLength,
  answerBufferBytes,
  decodeMessageIn,
  decodeOut,
  encodeMessageIn,
  encodeMessageOut,
  encodeRequestMessageIn,
  encodeTrigger,
  HEADER_BYTES,
  type HeaderFault,
  MessageId,
  nextTag,
} from "../../../driver/class/usbtmc/bulk_header.ts";
import { assert, assertEquals, assertThrows } from "../../../driver/std.ts";
import { forAll } from "./seeded.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("A message out is the specification's bytes: header, payload, alignment", () => {
  assertEquals(
    encodeMessageOut(ascii("*IDN?\n"), { tag: 1, endOfMessage: true }),
    Uint8Array.of(
      ...[0x01, 0x01, 0xfe, 0x00, 0x06, 0x00, 0x00, 0x00],
      ...[0x01, 0x00, 0x00, 0x00],
      ...[0x2a, 0x49, 0x44, 0x4e, 0x3f, 0x0a, 0x00, 0x00],
    ),
  );
});

Deno.test("A request for an answer carries its size and its term char", () => {
  assertEquals(
    encodeRequestMessageIn({ tag: 2, maxBytes: 64 }),
    Uint8Array.of(2, 2, 0xfd, 0, 64, 0, 0, 0, 0, 0, 0, 0),
  );
  assertEquals(
    encodeRequestMessageIn({ tag: 255, maxBytes: 0x01020304, termChar: 0x0a }),
    Uint8Array.of(2, 255, 0, 0, 4, 3, 2, 1, 2, 0x0a, 0, 0),
  );
});

Deno.test("A trigger is a header with nothing in it", () => {
  assertEquals(
    encodeTrigger(7),
    Uint8Array.of(128, 7, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  );
});

Deno.test("Tags run 1..255 and are never 0", () => {
  let tag = 0;
  const seen = new Set<number>();
  for (let index = 0; index < 255; index++) seen.add(tag = nextTag(tag));
  assertEquals([seen.size, seen.has(0), tag, nextTag(tag)], [
    255,
    false,
    255,
    1,
  ]);
});

Deno.test("Tag, size and term char outside their range are refused", () => {
  const payload = Uint8Array.of(1);
  for (const tag of [0, 256, -1, 1.5, NaN]) {
    assertThrows(
      () => encodeMessageOut(payload, { tag, endOfMessage: true }),
      RangeError,
      "tag",
    );
  }
  assertThrows(
    () => encodeMessageOut(new Uint8Array(), { tag: 1, endOfMessage: true }),
    RangeError,
    "transfer size",
  );
  for (const maxBytes of [0, -1, 2 ** 32, 0.5]) {
    assertThrows(
      () => encodeRequestMessageIn({ tag: 1, maxBytes }),
      RangeError,
      "transfer size",
    );
  }
  assertThrows(
    () => encodeRequestMessageIn({ tag: 1, maxBytes: 1, termChar: 256 }),
    RangeError,
    "term char",
  );
});

Deno.test("What the host sends the device reads, whatever size and tag", () => {
  forAll((chance) => {
    const payload = chance.bytes(chance.integer(1, 700));
    const tag = chance.integer(1, 255);
    const endOfMessage = chance.next() < 0.5;
    const bytes = encodeMessageOut(payload, { tag, endOfMessage });
    assertEquals(bytes.length % 4, 0);
    assertEquals(bytes.length, HEADER_BYTES + alignedLength(payload.length));
    assertEquals(decodeOut(bytes), {
      messageId: MessageId.deviceMessageOut,
      tag,
      transferSize: payload.length,
      endOfMessage,
      termChar: undefined,
    });
    assertEquals(bytes.subarray(12, 12 + payload.length), payload);
    assert(bytes.subarray(12 + payload.length).every((byte) => byte === 0));
  });
});

Deno.test("What the device sends the host reads, whatever size and tag", () => {
  forAll((chance) => {
    const payload = chance.bytes(chance.integer(0, 700));
    const tag = chance.integer(1, 255);
    const endOfMessage = chance.next() < 0.5;
    const endedByTermChar = chance.next() < 0.5;
    const bytes = encodeMessageIn(payload, {
      tag,
      endOfMessage,
      endedByTermChar,
    });
    assertEquals(decodeMessageIn(bytes, { tag, maxBytes: payload.length }), {
      tag,
      transferSize: payload.length,
      endOfMessage,
      endedByTermChar,
    });
  });
});

Deno.test("Each thing that can be wrong with an answer's header is named", () => {
  const good = encodeMessageIn(ascii("1.0\n"), { tag: 9, endOfMessage: true });
  const expected = { tag: 9, maxBytes: 4 };
  const broken = (offset: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(good);
    bytes[offset] = value;
    return bytes;
  };
  const cases: readonly [Uint8Array, HeaderFault][] = [
    [good.subarray(0, 11), "shorter than a header"],
    [new Uint8Array(), "shorter than a header"],
    [broken(0, 1), "not a device message"],
    [broken(2, 0), "the inverted tag is not the tag's inverse"],
    [broken(4, 5), "larger than was asked for"],
    [broken(7, 0xff), "larger than was asked for"],
  ];
  for (const [bytes, fault] of cases) {
    assertEquals(decodeMessageIn(bytes, expected), fault);
  }
  const stale = encodeMessageIn(ascii("1.0\n"), { tag: 8, endOfMessage: true });
  assertEquals(
    decodeMessageIn(stale, expected),
    "another tag than the request's",
  );
});

Deno.test("No bytes make the decoders throw, nor give a size over what was asked", () => {
  forAll((chance) => {
    const bytes = chance.bytes(chance.integer(0, 40));
    if (chance.next() < 0.7) bytes.set([2, 5, 0xfa].slice(0, bytes.length));
    const maxBytes = chance.integer(1, 2 ** 32 - 1);
    const decoded = decodeMessageIn(bytes, { tag: 5, maxBytes });
    if (typeof decoded !== "string") assert(decoded.transferSize <= maxBytes);
    decodeOut(bytes);
  });
});

Deno.test("The answer buffer is whole packets with room for the short one", () => {
  // The formula of the field: floor((N + 12) / mps) + 1 packets.
  assertEquals(answerBufferBytes(52, 64), 128);
  assertEquals(answerBufferBytes(51, 64), 64);
  forAll((chance) => {
    const packet = [8, 64, 512, 1024][chance.integer(0, 3)] ?? 64;
    const payload = chance.integer(1, 100_000);
    const buffer = answerBufferBytes(payload, packet);
    assertEquals(buffer % packet, 0);
    assert(buffer > payload + 12 && buffer <= payload + 12 + packet);
  });
});
