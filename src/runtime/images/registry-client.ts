import { open, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Clock } from "../../base/index.ts";
import type { Credential } from "./credentials.ts";
import { type Digest, digestOf, isDigest, matchesDigest } from "./digest.ts";
import { HttpClient, type HttpRequest, type HttpResponse, RequestError, readBody } from "./http.ts";
import { type Descriptor, ManifestError, manifestBytesMax, manifestMediaTypes } from "./manifest.ts";
import type { Endpoint, RegistriesConfig } from "./registries.ts";
import { Authorizer } from "./tokens.ts";

/** A blob's download is taken up again after a cut, unless it was cut this often in a row without a byte in between. */
const fruitlessTriesMax = 5;
const retryFirstMs = 200;
const retryMaxMs = 5_000;
const errorBodyBytesMax = 64 * 1024;

/** The registry does not have it. */
export class NotFoundError extends Error {
  override name = "NotFoundError";
}

/** The registry will not give it to this one. */
export class AccessDeniedError extends Error {
  override name = "AccessDeniedError";
}

/** A repository at an endpoint, and as who one may come; of these only the one remains that was let in. */
export interface Repository {
  endpoint: Endpoint;
  credentials: readonly Credential[];
}

export interface ManifestBytes {
  bytes: Buffer;
  digest: Digest;
}

/**
 * The distribution specification's pull half.
 *
 * @throws NotFoundError, AccessDeniedError, RequestError, ManifestError, or the signal's reason
 */
export class RegistryClient {
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;
  readonly #clock: Clock;

  constructor(options: { clock: Clock; config: RegistriesConfig; env: NodeJS.ProcessEnv }) {
    this.#http = new HttpClient(options);
    this.#authorizer = new Authorizer({ http: this.#http, clock: options.clock });
    this.#clock = options.clock;
  }

  close(): void {
    this.#http.close();
  }

  /** What a tag or digest stands for now: one HEAD, where the registry knows that. */
  async resolve(from: Repository, tagOrDigest: string, signal?: AbortSignal): Promise<Digest> {
    const response = await this.#get(from, "HEAD", `manifests/${tagOrDigest}`, manifestHeaders(), signal);
    response.body.resume();
    const digest = response.headers["docker-content-digest"];
    if (isDigest(digest)) return digest;
    return (await this.manifest(from, tagOrDigest, signal)).digest;
  }

  async manifest(from: Repository, tagOrDigest: string, signal?: AbortSignal): Promise<ManifestBytes> {
    const response = await this.#get(from, "GET", `manifests/${tagOrDigest}`, manifestHeaders(), signal);
    const bytes = await readBody(response, manifestBytesMax, "the manifest");
    if (!isDigest(tagOrDigest)) return { bytes, digest: digestOf(bytes) };
    if (!matchesDigest(bytes, tagOrDigest)) {
      throw new ManifestError(`unexpected digest ${digestOf(bytes)} of a manifest, expected ${tagOrDigest}`);
    }
    return { bytes, digest: tagOrDigest };
  }

  /** A small blob, verified. */
  async blob(from: Repository, blob: Descriptor, bytesMax: number, signal?: AbortSignal): Promise<Buffer> {
    const response = await this.#get(from, "GET", `blobs/${blob.digest}`, {}, signal);
    const bytes = await readBody(response, bytesMax, `blob ${blob.digest}`);
    if (!matchesDigest(bytes, blob.digest)) {
      throw new ManifestError(`unexpected digest ${digestOf(bytes)} of a blob, expected ${blob.digest}`);
    }
    return bytes;
  }

  /**
   * Brings a blob into a file, going on where an earlier call stopped. The file has the right size then; its digest is
   * for the reader to verify.
   */
  async download(from: Repository, blob: Descriptor, path: string, signal?: AbortSignal): Promise<void> {
    let fruitless = 0;
    let haveBytes = await sizeOf(path);
    if (haveBytes > blob.size) {
      await rm(path);
      haveBytes = 0;
    }
    while (haveBytes < blob.size || haveBytes === 0) {
      const failure = await this.#append(from, blob, path, haveBytes, signal).catch((error: Error) => {
        if (error instanceof NotFoundError || error instanceof AccessDeniedError) throw error;
        return error;
      });
      signal?.throwIfAborted();
      const nowBytes = await sizeOf(path);
      if (nowBytes > blob.size) {
        await rm(path, { force: true });
        throw new RequestError(
          `blob ${blob.digest} is larger than the ${blob.size} bytes that its manifest says`,
        );
      }
      fruitless = nowBytes > haveBytes ? 0 : fruitless + 1;
      haveBytes = nowBytes;
      if (haveBytes === blob.size) return;
      if (fruitless === fruitlessTriesMax)
        throw failure ?? new RequestError(`blob ${blob.digest} ended early`);
      await this.#clock.sleep(Math.min(retryFirstMs * 2 ** fruitless, retryMaxMs), signal);
    }
  }

  /** One try; what arrived stays in the file, whatever the end. */
  async #append(
    from: Repository,
    blob: Descriptor,
    path: string,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<undefined> {
    const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const response = await this.#get(from, "GET", `blobs/${blob.digest}`, range, signal);
    const isRest = response.status === 206 && startOfRange(response) === offset;
    if (response.status === 206 && !isRest) {
      response.body.destroy();
      throw new RequestError("the registry sent another range than it was asked for");
    }
    await write(response.body, path, isRest ? offset : 0, blob.size);
  }

  /** A request with what authorizes it: what went through before, else an answer to the registry's challenge. */
  async #get(
    from: Repository,
    method: "GET" | "HEAD",
    what: string,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { base, path, namespace } = from.endpoint;
    const url = new URL(`${path}/${what}`, base);
    if (namespace !== undefined) url.searchParams.set("ns", namespace);
    const scope = `repository:${path}:pull`;
    let denied: HttpResponse | undefined;
    for (const credential of from.credentials) {
      const authorization = this.#authorizer.remembered(base.host, scope, credential);
      const request: HttpRequest = {
        method,
        url,
        headers: { ...headers, ...(authorization && { authorization }) },
        signal,
      };
      let response = await this.#http.request(request);
      const challenge = response.headers["www-authenticate"];
      if (response.status === 401 && challenge !== undefined) {
        const answer = await this.#authorizer.answer(base.host, challenge, scope, credential, signal);
        if (answer !== undefined) {
          response.body.resume();
          response = await this.#http.request({ ...request, headers: { ...headers, authorization: answer } });
        }
      }
      if (response.status < 300) {
        from.credentials = [credential];
        return response;
      }
      if (response.status !== 401 && response.status !== 403) throw await failure(response, url, method);
      denied?.body.resume();
      denied = response;
    }
    throw await denial(denied!);
  }
}

function manifestHeaders(): Record<string, string> {
  return { accept: [...manifestMediaTypes, "*/*"].join(", ") };
}

async function failure(response: HttpResponse, url: URL, method: string): Promise<Error> {
  if (response.status === 404) {
    response.body.resume();
    return new NotFoundError("not found");
  }
  const status = `${response.status} ${response.body.statusMessage ?? ""}`.trim();
  const said = await serverMessage(response);
  if (response.status === 429)
    return new RequestError(`toomanyrequests: ${said || "too many requests"}: ${status}`);
  return new RequestError(
    `unexpected status from ${method} request to ${url}: ${status}${said && `: ${said}`}`,
  );
}

async function denial(response: HttpResponse): Promise<Error> {
  const said =
    (await serverMessage(response)) || (response.status === 401 ? "authorization failed" : "denied");
  return new AccessDeniedError(
    `pull access denied, repository does not exist or may require authorization: server message: ${said}`,
  );
}

/** The `errors` of a registry's answer in one line. */
async function serverMessage(response: HttpResponse): Promise<string> {
  try {
    const body = await readBody(response, errorBodyBytesMax, "the error");
    const { errors } = JSON.parse(body.toString()) as { errors?: { code?: string; message?: string }[] };
    return (errors ?? [])
      .map(({ code, message }) => [code?.toLowerCase(), message].filter(Boolean).join(": "))
      .join(", ");
  } catch {
    return "";
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

function startOfRange(response: HttpResponse): number {
  return Number(/^bytes (\d+)-/.exec(response.headers["content-range"] ?? "")?.[1] ?? -1);
}

/** Writes until the end, or one piece past `bytesMax`. */
async function write(body: Readable, path: string, offset: number, bytesMax: number): Promise<undefined> {
  const file = await open(path, offset === 0 ? "w" : "r+");
  let at = offset;
  try {
    for await (const piece of body) {
      await file.write(piece as Buffer, 0, (piece as Buffer).length, at);
      at += (piece as Buffer).length;
      if (at > bytesMax) break;
    }
  } finally {
    await file.close();
    body.destroy();
  }
}
