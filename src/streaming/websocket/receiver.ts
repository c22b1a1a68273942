/**
 * A client's WebSocket frames (RFC 6455, section 5), taken apart as they come: a message's content is handed on in the
 * pieces in which the socket gave it, unmasked where it lies, and is never put together.
 */
export interface FrameSink {
  /** A piece of a message; `isStart` for its first (which may be empty). The buffer is the sink's to keep. */
  piece(data: Buffer, at: { isStart: boolean; isEnd: boolean }): void;
  ping(payload: Buffer): void;
  peerClosed(payload: Buffer): void;
  /** What came is against the protocol; nothing more will be handed on. */
  fail(closeCode: number, why: string): void;
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const controlBytesMax = 125;
const headBytesMax = 14;
const noBytes = Buffer.alloc(0);

export class FrameReceiver {
  readonly #sink: FrameSink;
  readonly #head = Buffer.alloc(headBytesMax);
  #headHas = 0;
  #headNeeds = 2;
  #isInPayload = false;
  #opcode = 0;
  #isFinal = false;
  #left = 0;
  /** The mask's bytes, and how many of the payload's came before. */
  readonly #mask = Buffer.alloc(4);
  #masked = 0;
  #control: Buffer = noBytes;
  #isInMessage = false;
  #isAtStart = false;
  #isFailed = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  receive(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isFailed; ) {
      at += this.#isInPayload ? this.#payload(chunk, at) : this.#gatherHead(chunk, at);
    }
  }

  #gatherHead(chunk: Buffer, at: number): number {
    const take = Math.min(this.#headNeeds - this.#headHas, chunk.length - at);
    chunk.copy(this.#head, this.#headHas, at, at + take);
    this.#headHas += take;
    if (this.#headHas < this.#headNeeds) return take;
    if (this.#headNeeds === 2) {
      const length = this.#head[1]! & 0x7f;
      this.#headNeeds = 6 + (length === 126 ? 2 : length === 127 ? 8 : 0);
    } else this.#startFrame();
    return take;
  }

  #startFrame(): void {
    const head = this.#head;
    const lengthField = this.#headNeeds - 6;
    this.#headHas = 0;
    this.#headNeeds = 2;
    this.#isFinal = (head[0]! & 0x80) !== 0;
    this.#opcode = head[0]! & 0x0f;
    this.#left =
      lengthField === 0 ? head[1]! & 0x7f : lengthField === 2 ? head.readUInt16BE(2) : bigLength(head);
    head.copy(this.#mask, 0, 2 + lengthField, 6 + lengthField);
    this.#masked = 0;
    const why = this.#fault(head);
    if (why) {
      this.#isFailed = true;
      this.#sink.fail(1002, why);
      return;
    }
    if (this.#opcode === opcodes.text || this.#opcode === opcodes.binary) {
      this.#isInMessage = true;
      this.#isAtStart = true;
    }
    this.#isInPayload = true;
    if (this.#left === 0) this.#hand(noBytes);
  }

  #fault(head: Buffer): string | undefined {
    if (head[0]! & 0x70) return "reserved bits are set";
    if ((head[1]! & 0x80) === 0) return "a frame is not masked";
    if (this.#left < 0) return "a frame is too long";
    const isControl = this.#opcode >= 8;
    if (isControl && (this.#opcode > opcodes.pong || !this.#isFinal || this.#left > controlBytesMax)) {
      return "invalid control frame";
    }
    if (isControl) return undefined;
    if (this.#opcode > opcodes.binary) return "unknown opcode";
    const isContinuation = this.#opcode === opcodes.continuation;
    return isContinuation === this.#isInMessage ? undefined : "fragments are out of order";
  }

  #payload(chunk: Buffer, at: number): number {
    const take = Math.min(this.#left, chunk.length - at);
    const part = chunk.subarray(at, at + take);
    unmask(part, this.#mask, this.#masked);
    this.#masked = (this.#masked + take) % 4;
    this.#left -= take;
    this.#hand(part);
    return take;
  }

  #hand(part: Buffer): void {
    const isDone = this.#left === 0;
    if (isDone) this.#isInPayload = false;
    if (this.#opcode >= 8) {
      this.#control = Buffer.concat([this.#control, part]);
      if (isDone) this.#handControl();
      return;
    }
    const isEnd = isDone && this.#isFinal;
    const isStart = this.#isAtStart;
    this.#isAtStart = false;
    if (isEnd) this.#isInMessage = false;
    this.#sink.piece(part, { isStart, isEnd });
  }

  #handControl(): void {
    const payload = this.#control;
    this.#control = noBytes;
    if (this.#opcode === opcodes.ping) this.#sink.ping(payload);
    else if (this.#opcode === opcodes.close) this.#sink.peerClosed(payload);
  }
}

/** Negative for what no buffer could hold. */
function bigLength(head: Buffer): number {
  const high = head.readUInt32BE(2);
  return high > 0x1fffff ? -1 : high * 2 ** 32 + head.readUInt32BE(6);
}

/** XORs with the mask, from its byte `phase` on, four bytes at a time where they lie on a word. */
function unmask(part: Buffer, mask: Buffer, phase: number): void {
  let at = 0;
  const byByte = (end: number) => {
    for (; at < end; at++) part[at]! ^= mask[(phase + at) & 3]!;
  };
  byByte(Math.min(part.length, (4 - (part.byteOffset & 3)) & 3));
  const words = (part.length - at) >> 2;
  if (words > 0) {
    const rotated = new Uint32Array(
      Uint8Array.from([0, 1, 2, 3], (i) => mask[(phase + at + i) & 3]!).buffer,
    )[0]!;
    const view = new Uint32Array(part.buffer, part.byteOffset + at, words);
    for (let i = 0; i < words; i++) view[i]! ^= rotated;
    at += words * 4;
  }
  byByte(part.length);
}
