import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import type { ImageReference } from "./reference.ts";

/**
 * Where images come from; the shape of k3s' `registries.yaml`.
 *
 * ```yaml
 * mirrors:
 *   docker.io:                        # or "*" for every registry without an entry of its own
 *     endpoint: ["http://127.0.0.1:5000"]
 *     rewrite: { "^library/(.*)": "mirror/$1" }
 * configs:
 *   registry.example:5000:            # the host of an endpoint
 *     auth: { username: u, password: p }         # or auth: base64(u:p), or identity_token
 *     tls: { ca_file: …, cert_file: …, key_file: …, insecure_skip_verify: false }
 * ```
 */
export interface RegistriesConfig {
  mirrors: Record<string, { endpoint: string[]; rewrite?: Record<string, string> }>;
  configs: Record<string, { auth?: RegistryConfigAuth; tls?: RegistryConfigTls }>;
}

export interface RegistryConfigAuth {
  username?: string;
  password?: string;
  /** base64 of `username:password`. */
  auth?: string;
  identity_token?: string;
}

export interface RegistryConfigTls {
  ca_file?: string;
  cert_file?: string;
  key_file?: string;
  insecure_skip_verify?: boolean;
}

export const noRegistriesConfig: RegistriesConfig = { mirrors: {}, configs: {} };

/** A user's file: larger is a mistake. */
const fileBytesMax = 1 << 20;

/** Reads `registries.yaml`; without the file, no mirrors. @throws Error that names the file and what is wrong in it. */
export async function readRegistriesConfig(path: string): Promise<RegistriesConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return noRegistriesConfig;
    throw error;
  }
  if (text.length > fileBytesMax) throw new Error(`${path}: larger than ${fileBytesMax} bytes`);
  try {
    return checkRegistriesConfig(parse(text));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

type Shape = "string" | "boolean" | "strings" | "stringMap";
const mirrorShape: Record<string, Shape> = { endpoint: "strings", rewrite: "stringMap" };
const authShape: Record<string, Shape> = {
  username: "string",
  password: "string",
  auth: "string",
  identity_token: "string",
};
const tlsShape: Record<string, Shape> = {
  ca_file: "string",
  cert_file: "string",
  key_file: "string",
  insecure_skip_verify: "boolean",
};

/** @throws Error for what is not of the shape: a misspelt key must not be a mirror that is silently not used. */
export function checkRegistriesConfig(value: unknown): RegistriesConfig {
  const top = record(value ?? {}, "the file");
  onlyKeys(top, ["mirrors", "configs"], "the file");
  const config: RegistriesConfig = { mirrors: {}, configs: {} };
  for (const [host, entry] of Object.entries(record(top["mirrors"] ?? {}, "mirrors"))) {
    const mirror = checked(
      entry ?? {},
      mirrorShape,
      `mirrors.${host}`,
    ) as RegistriesConfig["mirrors"][string];
    for (const endpoint of mirror.endpoint ?? []) endpointUrl(endpoint);
    for (const pattern of Object.keys(mirror.rewrite ?? {})) new RegExp(pattern);
    config.mirrors[host] = { ...mirror, endpoint: mirror.endpoint ?? [] };
  }
  for (const [host, entry] of Object.entries(record(top["configs"] ?? {}, "configs"))) {
    const of = record(entry ?? {}, `configs.${host}`);
    onlyKeys(of, ["auth", "tls"], `configs.${host}`);
    config.configs[host] = {
      ...(of["auth"] != null && { auth: checked(of["auth"], authShape, `configs.${host}.auth`) }),
      ...(of["tls"] != null && { tls: checked(of["tls"], tlsShape, `configs.${host}.tls`) }),
    };
  }
  return config;
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${at} must be a map`);
  return value as Record<string, unknown>;
}

function onlyKeys(value: Record<string, unknown>, keys: readonly string[], at: string): void {
  for (const key of Object.keys(value)) {
    if (!keys.includes(key))
      throw new Error(`${at}: unknown field ${JSON.stringify(key)}, known are ${keys.join(", ")}`);
  }
}

function checked(value: unknown, shape: Record<string, Shape>, at: string): Record<string, unknown> {
  const map = record(value, at);
  onlyKeys(map, Object.keys(shape), at);
  for (const [key, field] of Object.entries(map)) {
    if (!fits(field, shape[key]!)) throw new Error(`${at}.${key} is not of the right type`);
  }
  return map;
}

function fits(value: unknown, shape: Shape): boolean {
  switch (shape) {
    case "strings":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "stringMap":
      return (
        typeof value === "object" &&
        value !== null &&
        Object.values(value).every((v) => typeof v === "string")
      );
    default:
      return typeof value === shape;
  }
}

/** One place to ask for an image: a base URL that ends in `/v2/`, and the repository's path there. */
export interface Endpoint {
  base: URL;
  path: string;
  /** What a mirror is told in `?ns=`, so that one that mirrors several registries knows which. */
  namespace?: string;
}

/** The mirrors of the image's registry in their order, then the registry itself. */
export function endpointsFor(reference: ImageReference, config: RegistriesConfig): Endpoint[] {
  const mirror = config.mirrors[reference.domain] ?? config.mirrors["*"];
  const endpoints: Endpoint[] = (mirror?.endpoint ?? []).map((endpoint) => ({
    base: endpointUrl(endpoint),
    path: rewritten(reference.path, mirror?.rewrite),
    namespace: reference.domain,
  }));
  const own = ownUrl(reference.domain, config);
  if (!endpoints.some((endpoint) => endpoint.base.href === own.href)) {
    endpoints.push({ base: own, path: reference.path });
  }
  return endpoints;
}

function rewritten(path: string, rewrite: Record<string, string> | undefined): string {
  for (const [pattern, replacement] of Object.entries(rewrite ?? {})) {
    const expression = new RegExp(pattern);
    if (expression.test(path)) return path.replace(expression, replacement);
  }
  return path;
}

function endpointUrl(text: string): URL {
  const url = new URL(/^[a-z]+:\/\//.test(text) ? text : `https://${text}`);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new Error(`endpoint ${JSON.stringify(text)}: only http and https are known`);
  }
  // An endpoint with a path of its own, as a proxy's, holds the API version already.
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path === "" ? "/v2/" : `${path}/`;
  return url;
}

function ownUrl(domain: string, config: RegistriesConfig): URL {
  const host = domain === "docker.io" ? "registry-1.docker.io" : domain;
  const isPlain = isLoopback(new URL(`http://${host}`).hostname) && config.configs[host]?.tls === undefined;
  return new URL(`${isPlain ? "http" : "https"}://${host}/v2/`);
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
