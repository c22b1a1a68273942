import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../base/index.ts";
import { FrameReceiver, type FrameSink } from "./receiver.ts";

const random = new SeededRandom(7);
const below = (max: number) => Math.floor(random.fraction() * max);

/** A frame as a client sends it. */
function frame(opcode: number, payload: Buffer, isFinal: 0 | 0x80 = 0x80): Buffer {
  const { length } = payload;
  const field = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const head = Buffer.alloc(2 + field + 4);
  head[0] = isFinal | opcode;
  head[1] = 0x80 | (field === 0 ? length : field === 2 ? 126 : 127);
  if (field === 2) head.writeUInt16BE(length, 2);
  if (field === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = Buffer.from([below(256), below(256), below(256), below(256)]);
  mask.copy(head, 2 + field);
  return Buffer.concat([head, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** What came out: messages, and control frames between them. */
class Gatherer implements FrameSink {
  readonly events: string[] = [];
  #message: Buffer[] = [];
  piece(data: Buffer, at: { isStart: boolean; isEnd: boolean }): void {
    if (at.isStart) this.#message = [];
    this.#message.push(Buffer.from(data));
    if (at.isEnd) this.events.push(`message ${Buffer.concat(this.#message).toString("hex")}`);
  }
  ping(payload: Buffer): void {
    this.events.push(`ping ${payload.toString("hex")}`);
  }
  peerClosed(payload: Buffer): void {
    this.events.push(`close ${payload.toString("hex")}`);
  }
  fail(closeCode: number, why: string): void {
    this.events.push(`fail ${closeCode} ${why}`);
  }
}

describe("a client's frames", () => {
  test("come out the same, however the socket cuts them", () => {
    const payload = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
    const bodies = [0, 1, 3, 4, 125, 126, 1000, 65535, 65536, 70_001].map(payload);
    const [first, second, third] = [payload(5), payload(0), payload(777)] as const;
    const wire = Buffer.concat([
      ...bodies.map((body) => frame(2, body)),
      frame(1, first, 0),
      frame(9, Buffer.from("hi")),
      frame(0, second, 0),
      frame(0, third),
      frame(8, Buffer.from([3, 232])),
    ]);
    const expected = [
      ...bodies.map((body) => `message ${body.toString("hex")}`),
      `ping ${Buffer.from("hi").toString("hex")}`,
      `message ${Buffer.concat([first, second, third]).toString("hex")}`,
      "close 03e8",
    ];
    for (const sizeMax of [1, 2, 7, 1000, 65536, wire.length]) {
      const sink = new Gatherer();
      const receiver = new FrameReceiver(sink);
      for (let at = 0; at < wire.length; ) {
        const size = 1 + below(sizeMax);
        // A copy, at any alignment: what is received is unmasked in place.
        const pad = below(4);
        const chunk = Buffer.concat([Buffer.alloc(pad), wire.subarray(at, at + size)]).subarray(pad);
        receiver.receive(chunk);
        at += size;
      }
      assert.deepEqual(sink.events, expected, `pieces of up to ${sizeMax}`);
    }
  });

  test("against the protocol end it", () => {
    const unmasked = Buffer.from([0x82, 0x01, 0x00, 0, 0, 0, 0]);
    const cases: [Buffer, RegExp][] = [
      [unmasked, /not masked/],
      [frame(3, Buffer.alloc(1)), /unknown opcode/],
      [frame(0, Buffer.alloc(1)), /out of order/],
      [Buffer.concat([frame(2, Buffer.alloc(1), 0), frame(2, Buffer.alloc(1))]), /out of order/],
      [frame(9, Buffer.alloc(126)), /invalid control frame/],
      [frame(8, Buffer.alloc(1), 0), /invalid control frame/],
      [frame(2 | 0x40, Buffer.alloc(1)), /reserved bits/],
      [Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), /too long/],
    ];
    for (const [wire, why] of cases) {
      const sink = new Gatherer();
      new FrameReceiver(sink).receive(wire);
      assert.match(sink.events.at(-1) ?? "", why);
    }
  });
});
