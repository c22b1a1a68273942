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
  /** A connection's certificate does not change. */
  readonly #bySocket = new WeakMap<TLSSocket, UserInfo>();

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  async userOf(exchange: Asked): Promise<UserInfo> {
    const authorization = exchange.header("authorization");
    const known = authorization === undefined ? this.#bySocket.get(exchange.socket) : undefined;
    if (known) return known;
    const certificate = certificateOf(exchange.socket);
    const bearerToken = authorization === undefined ? undefined : tokenOf(authorization);
    const user = await this.#authenticator.authenticate({
      ...(certificate && { certificate }),
      ...(bearerToken !== undefined && { bearerToken }),
    });
    if (certificate && bearerToken === undefined) this.#bySocket.set(exchange.socket, user);
    return user;
  }
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

/** Requests as another user (`kubectl --as`), for those who may. As `filters.WithImpersonation`. */
export async function impersonated(serving: Serving, exchange: Asked, user: UserInfo): Promise<UserInfo> {
  const name = exchange.header("impersonate-user");
  const groups =
    exchange
      .header("impersonate-group")
      ?.split(",")
      .map((group) => group.trim()) ?? [];
  if (name === undefined && groups.length === 0 && exchange.header("impersonate-uid") === undefined)
    return user;
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
