import { badRequest } from "../../machinery/index.ts";

/**
 * Where a paged list goes on: after which name, at which revision. `revision` -1: at whatever is newest, because the
 * revision of the first page is gone (an inconsistent continuation).
 *
 * Encoded as `k8s.io/apiserver/pkg/storage/continue.go` does; clients must treat it as opaque.
 */
export interface ContinueToken {
  revision: number;
  /** The last key of the page before, without the list's prefix. */
  after: string;
}

const tokenVersion = "meta.k8s.io/v1";

export function encodeContinue({ revision, after }: ContinueToken): string {
  const json = JSON.stringify({ v: tokenVersion, rv: revision, start: `${after}\0` });
  return Buffer.from(json).toString("base64url");
}

/** Throws a 400 for what is no token of this server. */
export function decodeContinue(token: string): ContinueToken {
  const bad = (why: string) => badRequest(`continue key is not valid: ${why}`);
  let parsed: any;
  try {
    parsed = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw bad("it cannot be decoded");
  }
  if (parsed?.v !== tokenVersion) throw bad("server does not recognize this encoded version");
  const { rv, start } = parsed;
  if (!Number.isSafeInteger(rv) || rv === 0) throw bad("incorrect encoded start resourceVersion");
  if (typeof start !== "string" || start.length < 2 || start.startsWith("/") || start.includes("..")) {
    throw bad("it does not name where to go on");
  }
  return { revision: rv, after: start.endsWith("\0") ? start.slice(0, -1) : start };
}
