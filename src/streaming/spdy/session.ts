import type { Duplex } from "node:stream";
import {
  controlBytesMax,
  controlFrame,
  controlTypes,
  dataBytesMax,
  dataHeader,
  decodeFrameHeader,
  type FrameHeader,
  finFlag,
  frameHeaderBytes,
  resetStatus,
} from "./frames.ts";
import { HeaderReader, HeaderWriter, noHeaders } from "./header-block.ts";
import { SpdyStream, type StreamHost } from "./stream.ts";

/** Of one connection. A port-forward needs two for each connection through it. */
const streamsMax = 2000;
/** What a frame of each type holds at least. */
const bodyBytesMin: Record<number, number> = {
  [controlTypes.synStream]: 10,
  [controlTypes.headers]: 4,
  [controlTypes.rstStream]: 8,
  [controlTypes.ping]: 4,
};

/**
 * A half of a SPDY/3.1 connection, over anything that carries bytes both ways: the server's, which is told of the
 * streams that come, or the client's, which opens them.
 *
 * - Flow control is the transport's: clients of Kubernetes (moby/spdystream) never send WINDOW_UPDATE, so waiting
 *   for one would wait for ever. A stream whose consumer is slow makes the connection wait, and nothing piles up.
 * - `closed` resolves once the transport is gone; every stream is destroyed then.
 */
export class SpdySession implements StreamHost {
  readonly closed: Promise<void>;
  readonly #transport: Duplex;
  readonly #onStream: ((stream: SpdyStream) => void) | undefined;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  /** Streams that hold as much as they may. */
  readonly #full = new Set<SpdyStream>();
  readonly #drained: (() => void)[] = [];
  #lastStreamId = 0;
  #isGoing = false;
  /** Input that waits for a header block to be decompressed. */
  #isDecoding = false;
  readonly #waiting: Buffer[] = [];

  #header = Buffer.alloc(frameHeaderBytes);
  #headerHas = 0;
  #frame: FrameHeader | undefined;
  #frameLeft = 0;
  #control: Buffer[] = [];

  /** The server's with `onStream`, the client's without. */
  constructor(transport: Duplex, onStream?: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
    transport.on("data", (piece: Buffer) => this.#receive(piece));
    transport.on("drain", () => {
      for (const done of this.#drained.splice(0)) done();
    });
    // `close` follows.
    transport.on("error", () => {});
    transport.on("end", () => transport.destroy());
    this.closed = new Promise((resolve) => {
      if (transport.destroyed) resolve();
      transport.once("close", resolve);
    });
    this.closed.then(() => this.#end());
  }

  /** The client's: a new stream. Names of headers are lower case. */
  open(headers: ReadonlyMap<string, string>): SpdyStream {
    const id = this.#lastStreamId === 0 ? 1 : this.#lastStreamId + 2;
    this.#lastStreamId = id;
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    const noPriority = Buffer.alloc(2);
    this.#send(controlFrame(controlTypes.synStream, id, 0, noPriority, this.#headerWriter.write(headers)));
    return stream;
  }

  ping(id: number): void {
    this.#send(controlFrame(controlTypes.ping, id));
  }

  /** Says that nothing more will come, and ends the transport once all is written. */
  close(): void {
    if (this.#isGoing) return;
    this.#isGoing = true;
    this.#send(controlFrame(controlTypes.goAway, this.#lastStreamId, 0));
    this.#transport.end();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  sendData(
    streamId: number,
    pieces: readonly Buffer[],
    flags: number,
    done: (error?: Error | null) => void,
  ): void {
    const transport = this.#transport;
    if (transport.destroyed || transport.writableEnded) {
      done(new Error("the connection is closed"));
      return;
    }
    let hasRoom = true;
    transport.cork();
    if (pieces.length === 0) hasRoom = transport.write(dataHeader(streamId, flags, 0));
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += dataBytesMax) {
        const part = piece.length > dataBytesMax ? piece.subarray(at, at + dataBytesMax) : piece;
        transport.write(dataHeader(streamId, flags, part.length));
        hasRoom = transport.write(part);
      }
    }
    transport.uncork();
    if (hasRoom || !transport.writableNeedDrain) done();
    else this.#drained.push(done);
  }

  sendReset(streamId: number): void {
    this.#send(controlFrame(controlTypes.rstStream, streamId, resetStatus.cancel));
  }

  readable(stream: SpdyStream): void {
    if (this.#full.delete(stream)) this.#resumeIfFree();
  }

  gone(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    if (this.#full.delete(stream)) this.#resumeIfFree();
  }

  #send(frame: Buffer): void {
    if (!this.#transport.destroyed && !this.#transport.writableEnded) this.#transport.write(frame);
  }

  #end(): void {
    for (const stream of this.#streams.values()) this.#endStream(stream);
    for (const done of this.#drained.splice(0)) done();
    this.#headerReader.close();
  }

  #fail(): void {
    this.#send(controlFrame(controlTypes.goAway, this.#lastStreamId, resetStatus.protocolError));
    this.#transport.destroy();
  }

  #resumeIfFree(): void {
    if (this.#full.size === 0 && !this.#isDecoding) this.#transport.resume();
  }

  #receive(piece: Buffer): void {
    if (this.#isDecoding) {
      this.#waiting.push(piece);
      return;
    }
    for (let at = 0; at < piece.length && !this.#transport.destroyed; ) {
      at += this.#frame ? this.#body(piece, at) : this.#head(piece, at);
      if (this.#isDecoding && at < piece.length) {
        this.#waiting.unshift(piece.subarray(at));
        return;
      }
    }
  }

  #head(piece: Buffer, at: number): number {
    const take = Math.min(frameHeaderBytes - this.#headerHas, piece.length - at);
    piece.copy(this.#header, this.#headerHas, at, at + take);
    this.#headerHas += take;
    if (this.#headerHas < frameHeaderBytes) return take;
    this.#headerHas = 0;
    const frame = decodeFrameHeader(this.#header);
    const isBad = frame.kind === "control" && (frame.version !== 3 || frame.lengthBytes > controlBytesMax);
    if (isBad) this.#fail();
    else {
      this.#frame = frame;
      this.#frameLeft = frame.lengthBytes;
      if (frame.lengthBytes === 0) this.#frameEnd(frame);
    }
    return take;
  }

  #body(piece: Buffer, at: number): number {
    const frame = this.#frame!;
    const take = Math.min(this.#frameLeft, piece.length - at);
    const part = piece.subarray(at, at + take);
    this.#frameLeft -= take;
    if (frame.kind === "control") this.#control.push(part);
    else this.#data(frame.streamId, part);
    if (this.#frameLeft === 0) this.#frameEnd(frame);
    return take;
  }

  #data(streamId: number, part: Buffer): void {
    const stream = this.#streams.get(streamId);
    // Unknown: it was reset from here while this was on its way.
    if (!stream || stream.readableEnded || stream.destroyed) return;
    if (!stream.push(part)) {
      this.#full.add(stream);
      this.#transport.pause();
    }
  }

  #frameEnd(frame: FrameHeader): void {
    this.#frame = undefined;
    if (frame.kind === "data") {
      if (frame.flags & finFlag) this.#streams.get(frame.streamId)?.endReading();
      return;
    }
    const body = this.#control.length === 1 ? this.#control[0]! : Buffer.concat(this.#control);
    this.#control = [];
    this.#controlFrame(frame.type, frame.flags, body);
  }

  #controlFrame(type: number, flags: number, body: Buffer): void {
    if (body.length < (bodyBytesMin[type] ?? 0)) {
      this.#fail();
      return;
    }
    switch (type) {
      case controlTypes.synStream:
        this.#synStream(body, flags);
        return;
      case controlTypes.headers:
        // Nothing uses them, but the next block's compression goes on from this one.
        this.#decode(body.subarray(4), () => {});
        return;
      case controlTypes.rstStream:
        this.#endStream(this.#streams.get(body.readUInt32BE(0) & 0x7fffffff));
        return;
      case controlTypes.ping:
        // Odd ids are the client's: one with our parity is the answer to ours.
        if ((body.readUInt32BE(0) % 2 === 1) === (this.#onStream !== undefined))
          this.ping(body.readUInt32BE(0));
        return;
      default:
        // SETTINGS, WINDOW_UPDATE and GOAWAY ask nothing of this side: the client closes when it has all.
        return;
    }
  }

  /** A server resets what it has answered to the end; what is on its way to a client's reader is still read. */
  #endStream(stream: SpdyStream | undefined): void {
    if (this.#onStream) stream?.resetByPeer();
    else stream?.endByPeer();
  }

  #synStream(body: Buffer, flags: number): void {
    const onStream = this.#onStream;
    if (!onStream) {
      this.#fail();
      return;
    }
    const id = body.readUInt32BE(0) & 0x7fffffff;
    this.#decode(body.subarray(10), (headers) => {
      const isRefused = this.#isGoing || this.#streams.size >= streamsMax;
      if (id % 2 === 0 || id <= this.#lastStreamId) return this.#fail();
      this.#lastStreamId = id;
      if (isRefused) return this.#send(controlFrame(controlTypes.rstStream, id, resetStatus.refusedStream));
      const stream = new SpdyStream(this, id, headers);
      this.#streams.set(id, stream);
      this.#send(controlFrame(controlTypes.synReply, id, this.#headerWriter.write(noHeaders)));
      if (flags & finFlag) stream.endReading();
      onStream(stream);
    });
  }

  #decode(block: Buffer, use: (headers: ReadonlyMap<string, string>) => void): void {
    this.#isDecoding = true;
    this.#transport.pause();
    this.#headerReader.read(block, (error, headers) => {
      this.#isDecoding = false;
      if (this.#transport.destroyed) return;
      if (error) return this.#fail();
      use(headers);
      while (this.#waiting.length > 0 && !this.#isDecoding) this.#receive(this.#waiting.shift()!);
      this.#resumeIfFree();
    });
  }
}
