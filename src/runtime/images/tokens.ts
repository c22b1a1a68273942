import type { Clock } from "../../base/index.ts";
import type { Credential } from "./credentials.ts";
import { type HttpClient, RequestError, readBody } from "./http.ts";

/** A token's lifetime when its server does not say. As the distribution specification has it. */
const tokenLifetimeDefaultS = 60;
/** A token is not used in its last seconds, for it must last through the request. */
const tokenMarginMs = 10_000;
const tokenBodyBytesMax = 64 * 1024;
const cachedTokensMax = 1000;
const clientId = "peapod";

export interface Challenge {
  scheme: "basic" | "bearer";
  parameters: Record<string, string>;
}

/** Reads `WWW-Authenticate`: the challenges in it that are known here. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  // A scheme is a token that a space follows and no "="; parameters are token=token or token="quoted".
  const piece = /([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/g;
  let current: { scheme: string; parameters: Record<string, string> } | undefined;
  for (const [, word, quoted, plain] of header.matchAll(piece)) {
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value !== undefined) {
      if (current) current.parameters[word!.toLowerCase()] = value;
      continue;
    }
    current = { scheme: word!.toLowerCase(), parameters: {} };
    if (current.scheme === "basic" || current.scheme === "bearer") challenges.push(current as Challenge);
  }
  return challenges;
}

interface CachedToken {
  header: string;
  untilMs: number;
}

/** Answers registries' challenges, and keeps the tokens while they last. */
export class Authorizer {
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, CachedToken>();

  constructor(options: { http: HttpClient; clock: Clock }) {
    this.#http = options.http;
    this.#clock = options.clock;
  }

  /** What to send at the first try: what went through there before. */
  remembered(host: string, scope: string, credential: Credential): string | undefined {
    const token = this.#tokens.get(cacheKey(host, scope, credential));
    return token && token.untilMs > this.#clock.monotonicMs() ? token.header : undefined;
  }

  /** The `Authorization` for a challenge, or `undefined` where this credential has no answer to it. */
  async answer(
    host: string,
    header: string,
    scope: string,
    credential: Credential,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer) {
      const token = await this.#fetchToken(bearer.parameters, scope, credential, signal);
      if (!token) return undefined;
      this.#remember(cacheKey(host, scope, credential), token);
      return token.header;
    }
    const hasBasic = challenges.some((challenge) => challenge.scheme === "basic");
    if (!hasBasic || credential.username === undefined) return undefined;
    const basic = { header: basicHeader(credential), untilMs: Number.POSITIVE_INFINITY };
    this.#remember(cacheKey(host, scope, credential), basic);
    return basic.header;
  }

  #remember(key: string, token: CachedToken): void {
    this.#tokens.delete(key);
    this.#tokens.set(key, token);
    if (this.#tokens.size > cachedTokensMax) this.#tokens.delete(this.#tokens.keys().next().value!);
  }

  async #fetchToken(
    parameters: Record<string, string>,
    scope: string,
    credential: Credential,
    signal: AbortSignal | undefined,
  ): Promise<CachedToken | undefined> {
    const realm = parameters["realm"];
    if (realm === undefined || !URL.canParse(realm))
      throw new RequestError("invalid realm in the registry's challenge");
    const query = new URLSearchParams({ scope: parameters["scope"] ?? scope });
    if (parameters["service"] !== undefined) query.set("service", parameters["service"]);
    const startMs = this.#clock.monotonicMs();
    const response = await this.#http.request(tokenRequest(new URL(realm), query, credential, signal));
    const body = await readBody(response, tokenBodyBytesMax, "the token server's answer");
    if (response.status === 401 || response.status === 403) return undefined;
    if (response.status !== 200) {
      throw new RequestError(
        `failed to fetch oauth token: unexpected status from ${realm}: ${response.status}`,
      );
    }
    const answer = parseToken(body);
    const token = answer.token || answer.access_token;
    if (!token) throw new RequestError("failed to fetch oauth token: no token in the answer");
    const lifetimeMs = (answer.expires_in ?? tokenLifetimeDefaultS) * 1000;
    return { header: `Bearer ${token}`, untilMs: startMs + lifetimeMs - tokenMarginMs };
  }
}

function tokenRequest(
  realm: URL,
  query: URLSearchParams,
  credential: Credential,
  signal: AbortSignal | undefined,
): Parameters<HttpClient["request"]>[0] {
  if (credential.identityToken !== undefined) {
    query.set("grant_type", "refresh_token");
    query.set("refresh_token", credential.identityToken);
    query.set("client_id", clientId);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm, headers, body: query.toString(), signal };
  }
  for (const [key, value] of query) realm.searchParams.append(key, value);
  const headers: Record<string, string> =
    credential.username === undefined ? {} : { authorization: basicHeader(credential) };
  return { method: "GET", url: realm, headers, signal };
}

function parseToken(body: Buffer): { token?: string; access_token?: string; expires_in?: number } {
  try {
    return JSON.parse(body.toString()) ?? {};
  } catch {
    throw new RequestError("failed to fetch oauth token: the answer is not JSON");
  }
}

function basicHeader(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username ?? ""}:${credential.password ?? ""}`).toString("base64")}`;
}

function cacheKey(host: string, scope: string, credential: Credential): string {
  return JSON.stringify([host, scope, credential.username, credential.password, credential.identityToken]);
}
