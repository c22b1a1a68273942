import { isIP } from "node:net";
import type { corev1 } from "../../api/index.ts";
import type { Dialer } from "../../runtime/index.ts";
import { checkMessage, isServing } from "./grpc-health.ts";

/*
 * The health check of a server that is well, over a dialer: one request, written as HTTP/2 frames by hand. Whatever else
 * than `SERVING` comes back is not told apart here; then Node's own client asks again, for the reason.
 */

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frameHeadBytes = 9;
/** Far more than an answer and its headers take. */
const answerBytesMax = 64 * 1_024;
const types = { data: 0, headers: 1, resetStream: 3, settings: 4, goAway: 7 } as const;
const flags = { endStream: 1, endHeaders: 4, padded: 8 } as const;

/** A check that a dialer can make: of an address. */
export interface PlainCheck {
  to: { host: string; port: number };
  bytes: Buffer;
}

/** An action's request is the same each time: made once for each address it goes to. */
const known = new WeakMap<corev1.GRPCAction, PlainCheck>();

/** Undefined for what is no address. */
export function plainCheckOf(action: corev1.GRPCAction, host: string): PlainCheck | undefined {
  const before = known.get(action);
  if (before?.to.host === host) return before;
  if (isIP(host) === 0) return undefined;
  const to = { host, port: action.port };
  const check = { to, bytes: requestOf(to, action.service ?? "") };
  known.set(action, check);
  return check;
}

export async function plainGrpcHealth(
  dialer: Dialer,
  { bytes, to }: PlainCheck,
  timeoutMs: number,
): Promise<"serving" | "unreached" | "timeout" | "unclear"> {
  const reader = new StreamReader();
  try {
    const end = await dialer.exchange(to, bytes, { timeoutMs, onData: (piece) => reader.take(piece) });
    if (end === "unreached" || end === "timeout") return end;
  } catch {
    return "unclear";
  }
  return reader.isServing ? "serving" : "unclear";
}

function requestOf({ host, port }: { host: string; port: number }, service: string): Buffer {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return Buffer.concat([
    Buffer.from(preface),
    frame(types.settings, 0, 0, Buffer.alloc(0)),
    frame(types.headers, flags.endHeaders, 1, headerBlock(authority)),
    frame(types.data, flags.endStream, 1, checkMessage(service)),
  ]);
}

function frame(type: number, flag: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(frameHeadBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without its tables' growth: names and values of the static table where it has them, literals else. */
function headerBlock(authority: string): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const named = (index: number, value: string) =>
    Buffer.concat([Buffer.from(index < 15 ? [index] : [15, index - 15]), text(value)]);
  return Buffer.concat([
    // :method POST, :scheme http
    Buffer.from([0x83, 0x86]),
    named(4, "/grpc.health.v1.Health/Check"),
    named(1, authority),
    named(31, "application/grpc"),
    named(58, "kube-probe/1.36"),
    Buffer.concat([Buffer.from([0]), text("te"), text("trailers")]),
  ]);
}

/** Reads the frames of the one stream there is, to its end. Mostly they come in one piece, and nothing is kept. */
class StreamReader {
  /** Of a frame that has not come whole. */
  #bytes: Buffer = Buffer.alloc(0);
  #message: Buffer = Buffer.alloc(0);
  #isEnded = false;

  get isServing(): boolean {
    return this.#isEnded && isServing(this.#message);
  }

  take(piece: Buffer): "more" | "enough" {
    const bytes = this.#bytes.length === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    let at = 0;
    while (bytes.length - at >= frameHeadBytes) {
      const from = at + frameHeadBytes;
      const end = from + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      const [type, flag] = [bytes[at + 3]!, bytes[at + 4]!];
      if (type === types.resetStream || type === types.goAway) return "enough";
      if (type === types.data)
        this.#message = Buffer.concat([this.#message, unpadded(bytes.subarray(from, end), flag)]);
      if (type <= types.headers && flag & flags.endStream) {
        this.#isEnded = true;
        return "enough";
      }
      at = end;
    }
    // The piece is the dialer's.
    this.#bytes = Buffer.from(bytes.subarray(at));
    return this.#bytes.length + this.#message.length > answerBytesMax ? "enough" : "more";
  }
}

function unpadded(payload: Buffer, flag: number): Buffer {
  return flag & flags.padded ? payload.subarray(1, payload.length - (payload[0] ?? 0)) : payload;
}
