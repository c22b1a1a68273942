import http2 from "node:http2";
import { isIPv6 } from "node:net";

/** `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/** gRPC's code for a method nobody serves. */
const unimplemented = 12;
const answerBytesMax = 4_096;

export type GrpcHealth = { isServing: true } | { isServing: false; message: string };

/**
 * Asks `grpc.health.v1.Health/Check`, over HTTP/2 without TLS. A message has two fields at most, so it is written and
 * read by hand. The texts are those of upstream's prober.
 */
export async function grpcHealth(
  host: string,
  port: number,
  service: string,
  options: { signal: AbortSignal; timeoutText: string },
): Promise<GrpcHealth> {
  const address = addressOf(host, port);
  const session = http2.connect(`http://${address}`);
  try {
    const connected = await race(session, options.signal);
    if (connected !== true) {
      return options.signal.aborted
        ? no(grpcTimeout.unreached(host, port, options.timeoutText))
        : no(`error: failed to connect service at "${address}": ${connected.message}`);
    }
    return await check(session, service, options);
  } finally {
    session.destroy();
  }
}

const addressOf = (host: string, port: number) => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

export const grpcTimeout = {
  unreached: (host: string, port: number, timeoutText: string) =>
    `timeout: failed to connect service "${addressOf(host, port)}" within ${timeoutText}: context deadline exceeded`,
  unanswered: (timeoutText: string) => `timeout: health rpc did not complete within ${timeoutText}`,
};

const no = (message: string): GrpcHealth => ({ isServing: false, message });

function race(session: http2.ClientHttp2Session, signal: AbortSignal): Promise<true | Error> {
  return new Promise((resolve) => {
    session.once("connect", () => resolve(true));
    session.on("error", (error: Error) => resolve(error));
    signal.addEventListener("abort", () => resolve(new Error("timed out")), { once: true });
  });
}

function check(
  session: http2.ClientHttp2Session,
  service: string,
  { signal, timeoutText }: { signal: AbortSignal; timeoutText: string },
): Promise<GrpcHealth> {
  return new Promise((resolve) => {
    const timedOut = () => resolve(no(grpcTimeout.unanswered(timeoutText)));
    if (signal.aborted) return timedOut();
    signal.addEventListener("abort", timedOut, { once: true });
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.36",
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let status: { code: number; message: string } | undefined;
    const takeStatus = (headers: http2.IncomingHttpHeaders) => {
      const code = headers["grpc-status"];
      if (code === undefined) return;
      status = { code: Number(code), message: decodeURIComponent(String(headers["grpc-message"] ?? "")) };
    };
    stream.on("response", takeStatus);
    stream.on("trailers", takeStatus);
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= answerBytesMax) chunks.push(chunk);
    });
    stream.on("error", (error) => resolve(no(`error: health rpc probe failed: ${error.message}`)));
    stream.on("end", () => resolve(judge(Buffer.concat(chunks), status)));
    stream.end(checkMessage(service));
  });
}

function judge(answer: Buffer, status: { code: number; message: string } | undefined): GrpcHealth {
  if (status?.code === unimplemented) {
    return no(
      `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${status.message}`,
    );
  }
  if (status?.code !== 0) {
    return no(
      `error: health rpc probe failed: rpc error: code = ${status?.code ?? 2} desc = ${status?.message ?? "no status"}`,
    );
  }
  const serving = servingStatuses[servingStatusOf(answer)] ?? "UNKNOWN";
  return isServing(answer) ? { isServing: true } : no(`service unhealthy (responded with "${serving}")`);
}

/** The request of a check, as gRPC frames it. */
export const checkMessage = (service: string): Buffer => frame(requestMessage(service));

/** Whether that is what an answer says. */
export const isServing = (answer: Buffer): boolean =>
  answer.length >= 5 && servingStatuses[servingStatusOf(answer)] === "SERVING";

/** gRPC's frame: not compressed, length, message. */
function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** `string service = 1`. */
function requestMessage(service: string): Buffer {
  if (service === "") return Buffer.alloc(0);
  const name = Buffer.from(service);
  const length: number[] = [];
  for (let left = name.length; ; left >>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** `ServingStatus status = 1`; absent is 0. */
function servingStatusOf(answer: Buffer): number {
  const message = answer.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
