import type { PeerCertificate, TLSSocket } from "node:tls";
import { type Authenticator, allAuthenticated, type Credentials, type UserInfo } from "../../auth/index.ts";
import { forbidden, unauthorized } from "../../machinery/index.ts";
import type { Serving } from "../context.ts";
import type { Exchange } from "./exchange.ts";

/** What of a request tells who makes it. */
type Asked = Pick<Exchange, "header" | "socket">;

/** Who makes a request: by client certificate, by token, or nobody known. */
export class Authentication {
  readonly #authenticator: Authenticator;
  /** A connection's certificate does not change, and asking TLS for it costs more than the rest. */
  readonly #certificates = new WeakMap<TLSSocket, PeerIdentity>();

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  /** At once where it is known already, so that most requests wait for nothing. */
  userOf(exchange: Asked): UserInfo | Promise<UserInfo> {
    const peer = this.#peerOf(exchange.socket);
    const authorization = exchange.header("authorization");
    if (authorization === undefined && peer.user) return peer.user;
    return this.#authenticate(peer, authorization === undefined ? undefined : tokenOf(authorization));
  }

  async #authenticate(peer: PeerIdentity, bearerToken: string | undefined): Promise<UserInfo> {
    const { certificate } = peer;
    const user = await this.#authenticator.authenticate({
      ...(certificate && { certificate }),
      ...(bearerToken !== undefined && { bearerToken }),
    });
    if (certificate && bearerToken === undefined) peer.user = user;
    return user;
  }

  #peerOf(socket: TLSSocket): PeerIdentity {
    let peer = this.#certificates.get(socket);
    if (!peer) {
      peer = { certificate: certificateOf(socket), user: undefined };
      this.#certificates.set(socket, peer);
    }
    return peer;
  }
}

/** What a connection shows of its client. */
interface PeerIdentity {
  certificate: Credentials["certificate"];
  /** Once it has been authenticated by its certificate alone. */
  user: UserInfo | undefined;
}

function certificateOf(socket: TLSSocket): Credentials["certificate"] {
  const peer: PeerCertificate | undefined = socket.getPeerCertificate?.();
  if (!peer?.subject) return undefined;
  if (!socket.authorized) throw unauthorized();
  const { CN, O } = peer.subject as { CN?: string | string[]; O?: string | string[] };
  return { commonName: first(CN), organizations: O === undefined ? [] : Array.isArray(O) ? O : [O] };
}

const first = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value[0]! : (value ?? "");

/** Undefined for a scheme that is not ours: then the request is nobody's. */
function tokenOf(authorization: string): string | undefined {
  return /^bearer\s+(\S+)\s*$/i.exec(authorization)?.[1];
}

export const isImpersonating = (exchange: Asked) =>
  exchange.header("impersonate-user") !== undefined ||
  exchange.header("impersonate-group") !== undefined ||
  exchange.header("impersonate-uid") !== undefined;

/** Requests as another user (`kubectl --as`), for those who may. As `filters.WithImpersonation`. */
export async function impersonated(serving: Serving, exchange: Asked, user: UserInfo): Promise<UserInfo> {
  const name = exchange.header("impersonate-user");
  const groups =
    exchange
      .header("impersonate-group")
      ?.split(",")
      .map((group) => group.trim()) ?? [];
  if (!isImpersonating(exchange)) return user;
  if (!name)
    throw forbidden(
      { group: "", resource: "" },
      "",
      "requested to impersonate groups or extras without a user",
    );
  const wanted: { resource: string; name: string; group: string }[] = [
    ...subjectOf(name),
    ...groups.map((group) => ({ resource: "groups", name: group, group: "" })),
  ];
  for (const what of wanted) {
    const attributes = { user, verb: "impersonate", version: "v1", ...what };
    const { allowed } = await serving.authorizer.authorize(attributes);
    if (allowed) continue;
    const why = `User ${JSON.stringify(user.name)} cannot impersonate resource ${JSON.stringify(what.resource)} in API group "" at the cluster scope`;
    throw forbidden({ group: "", resource: what.resource }, what.name, why);
  }
  const known = name === "system:anonymous" ? [] : [allAuthenticated];
  return { name, groups: [...new Set([...groups, ...serviceAccountGroups(name), ...known])] };
}

function subjectOf(name: string) {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  return account
    ? [{ resource: "serviceaccounts", name: account[2]!, namespace: account[1]!, group: "" }]
    : [{ resource: "users", name, group: "" }];
}

function serviceAccountGroups(name: string): string[] {
  const namespace = /^system:serviceaccount:([^:]+):/.exec(name)?.[1];
  return namespace ? ["system:serviceaccounts", `system:serviceaccounts:${namespace}`] : [];
}
