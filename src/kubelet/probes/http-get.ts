import http from "node:http";
import https from "node:https";
import { isIPv6 } from "node:net";
import type { corev1 } from "../../api/index.ts";

export interface HttpAnswer {
  statusCode: number;
  body: string;
  /** A redirect to another host, which is not followed. */
  isForeignRedirect: boolean;
}

/** As `pkg/probe/http`. */
export const bodyBytesMax = 10 * 1_024;
const redirectsMax = 10;
export const redirectCodes: readonly number[] = [301, 302, 303, 307, 308];

/** The number of a port given by number or by the name it has in the container. */
export function portOf(port: number | string, container: corev1.Container): number {
  const number =
    typeof port === "number"
      ? port
      : Number.isInteger(Number(port)) && port !== ""
        ? Number(port)
        : undefined;
  const found = number ?? container.ports?.find(({ name }) => name === port)?.containerPort;
  if (found === undefined)
    throw new Error(`couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
  if (found < 1 || found > 65_535) throw new Error(`invalid port number: ${found}`);
  return found;
}

/** The URL of an httpGet action; a path that is no URL is passed on as it is. */
export function urlOf(action: corev1.HTTPGetAction, container: corev1.Container, podIp: string): string {
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const host = action.host || podIp;
  const path = action.path ?? "/";
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${portOf(action.port, container)}${path.startsWith("/") ? path : `/${path}`}`;
}

/** GETs, following redirects on the same host; certificates are not checked, as upstream. Each try is a connection of its own. */
export async function httpGet(
  url: string,
  given: readonly corev1.HTTPHeader[],
  options: { userAgent: string; signal: AbortSignal },
): Promise<HttpAnswer> {
  const headers = requestHeaders(given, options.userAgent);
  let target = new URL(url);
  const { hostname } = target;
  for (let redirects = 0; ; redirects++) {
    const answer = await once(target, headers, options.signal);
    const { location } = answer;
    const isRedirect = redirectCodes.includes(answer.statusCode) && location !== undefined;
    if (!isRedirect) return { ...answer, isForeignRedirect: false };
    const next = new URL(location, target);
    if (next.hostname !== hostname) return { ...answer, isForeignRedirect: true };
    if (redirects >= redirectsMax) throw new Error(`Get "${url}": stopped after ${redirectsMax} redirects`);
    target = next;
  }
}

export function requestHeaders(given: readonly corev1.HTTPHeader[], userAgent: string): [string, string][] {
  const names = new Set(given.map(({ name }) => name.toLowerCase()));
  const headers: [string, string][] = given
    .filter(({ name, value }) => !(name.toLowerCase() === "accept" && value === ""))
    .map(({ name, value }) => [name, value ?? ""]);
  if (!names.has("user-agent")) headers.push(["User-Agent", userAgent]);
  if (!names.has("accept")) headers.push(["Accept", "*/*"]);
  return headers;
}

function once(
  target: URL,
  headers: readonly [string, string][],
  signal: AbortSignal,
): Promise<{ statusCode: number; body: string; location: string | undefined }> {
  const isTls = target.protocol === "https:";
  return new Promise((resolve, reject) => {
    const request = (isTls ? https : http).request(
      target,
      { method: "GET", agent: false, signal, ...(isTls && { rejectUnauthorized: false }) },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        const done = () =>
          resolve({
            statusCode: response.statusCode ?? 0,
            body: Buffer.concat(chunks).subarray(0, bodyBytesMax).toString("utf8"),
            location: response.headers.location,
          });
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes < bodyBytesMax) return;
          done();
          request.destroy();
        });
        response.on("end", done);
        response.on("error", reject);
      },
    );
    // Node joins repeated headers only when they are given as lists.
    const byName = new Map<string, string[]>();
    for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value]);
    for (const [name, values] of byName) request.setHeader(name, values.length === 1 ? values[0]! : values);
    request.setHeader("Connection", "close");
    request.on("error", reject);
    request.end();
  });
}
