import type { IncomingMessage } from "node:http";
import { parse as parseQuery } from "node:querystring";
import type { ExecOptions } from "../../client/index.ts";
import {
  badRequest,
  fieldInvalid,
  fieldRequired,
  internalError,
  invalid,
  noSuchResource,
  type StatusError,
} from "../../machinery/index.ts";
import {
  refuseUpgrade,
  servePortForward,
  serveRemoteCommand,
  serveStreamReader,
} from "../../streaming/index.ts";
import { authorizeResource } from "../authorize.ts";
import { type Call, type Caller, parameter, type Query, type Serving } from "../context.ts";
import { performAuthorized } from "../perform.ts";
import { authorizeProxy, isProxied, type ProxyRequest, serveProxyUpgrade } from "../proxy/proxying.ts";
import { type Connection, connections } from "../subresources/connections.ts";
import { flagOf } from "../subresources/log.ts";
import { containerOf, nodeOf, podOf, podTarget } from "../subresources/pod-container.ts";
import { admissionRequest, admitMutating, admitValidating } from "../verbs/admission.ts";
import { type Authentication, impersonated } from "./authenticate.ts";
import type { UpgradeRequest } from "./listener.ts";
import { parsePath } from "./path.ts";
import { failureOf } from "./respond.ts";

/** Requests that take their connection over: exec, attach and port-forward, by SPDY or WebSocket. */
export class Upgrades {
  readonly #serving: Serving;
  readonly #authentication: Authentication;

  constructor(serving: Serving, authentication: Authentication) {
    this.#serving = serving;
    this.#authentication = authentication;
  }

  /** Never throws: a failure before the upgrade is answered as one, what comes later is for the streams to tell. */
  async handle(upgrade: UpgradeRequest): Promise<void> {
    upgrade.socket.on("error", () => upgrade.socket.destroy());
    try {
      await this.#connect(upgrade);
    } catch (error) {
      const failure: StatusError = failureOf(error, this.#serving.log);
      if (!upgrade.socket.destroyed) refuseUpgrade(upgrade.socket, failure);
    }
  }

  async #connect(upgrade: UpgradeRequest): Promise<void> {
    const { request } = upgrade;
    const caller = await this.#callerOf(upgrade);
    const proxied = this.#proxied(request);
    if (proxied) {
      await authorizeProxy(this.#serving, caller, request.method ?? "GET", proxied);
      return serveProxyUpgrade(this.#serving, upgrade, proxied);
    }
    const { call, name } = this.#callOf(request);
    if (name === "log") return this.#log(upgrade, caller, call);
    // A WebSocket is opened with a GET, but runs a command as a POST does. As AuthorizePodWebsocketUpgradeCreatePermission.
    if (request.method === "GET") await authorizeResource(this.#serving, caller, { ...call, verb: "get" });
    await authorizeResource(this.#serving, caller, { ...call, verb: "create" });
    const admission = admissionRequest(this.#serving, call, caller, {
      operation: "CONNECT",
      name: call.name!,
    });
    await admitMutating(this.#serving, admission);
    await admitValidating(this.#serving, admission);
    if (name === "portforward") await this.#portForward(upgrade, call);
    else await this.#remoteCommand(upgrade, call, name);
  }

  /** A log over a WebSocket, for clients that live in a browser. */
  async #log({ request, socket, head }: UpgradeRequest, caller: Caller, given: Call): Promise<void> {
    const call: Call = { ...given, verb: "get" };
    await authorizeResource(this.#serving, caller, call);
    await serveStreamReader({
      req: request,
      socket,
      head,
      open: async (signal) => {
        const outcome = await performAuthorized(this.#serving, { ...caller, signal }, call);
        if (outcome.is !== "stream") throw internalError("a log is a stream");
        return outcome.stream;
      },
      clock: this.#serving.clock,
    });
  }

  async #callerOf({ request, socket }: UpgradeRequest): Promise<Caller> {
    const asked = {
      socket,
      header: (name: string) => {
        const value = request.headers[name];
        return typeof value === "object" ? value.join(",") : value;
      },
    };
    const user = await impersonated(this.#serving, asked, await this.#authentication.userOf(asked));
    return { user, userAgent: asked.header("user-agent") ?? "", signal: undefined, warn: () => {} };
  }

  #proxied(request: IncomingMessage): ProxyRequest | undefined {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const rawPath = mark < 0 ? url : url.slice(0, mark);
    const path = parsePath(rawPath);
    if (path.to !== "resource") return undefined;
    const storage = this.#serving.resources.find(path.group, path.version, path.resource);
    if (!storage || !isProxied(storage, path)) return undefined;
    return { rawPath, search: mark < 0 ? "" : url.slice(mark), query: undefined, path, storage };
  }

  #callOf(request: IncomingMessage): { call: Call; name: Connection["name"] | "log" } {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const path = parsePath(mark < 0 ? url : url.slice(0, mark));
    const query = mark < 0 ? {} : (parseQuery(url.slice(mark + 1)) as Query);
    const wanted = path.to === "resource" ? (path.subresource ?? "") : "";
    const connection = wanted === "log" ? "log" : connections.get(wanted)?.name;
    if (path.to !== "resource" || !connection || path.name === undefined) {
      throw badRequest("this request cannot be upgraded");
    }
    const storage = this.#serving.resources.get(path.group, path.version, path.resource);
    if (!storage.kind.subresources?.includes(connection)) throw noSuchResource();
    const { name, namespace, subresource } = path;
    const call: Call = { verb: "create", storage, name, options: {}, query };
    if (namespace !== undefined) call.namespace = namespace;
    if (subresource !== undefined) call.subresource = subresource;
    return { call, name: connection };
  }

  async #remoteCommand(
    { request, socket, head }: UpgradeRequest,
    call: Call,
    does: "exec" | "attach",
  ): Promise<void> {
    const options = does === "exec" ? execOptionsOf(call.query) : { ...streamsOf(call.query), command: [] };
    requireSomeStream(options, does);
    const pod = await podOf(call);
    const target = containerOf(pod, parameter(call.query, "container"));
    const node = await this.#serving.nodes.connect(nodeOf(pod));
    await serveRemoteCommand({
      req: request,
      socket,
      head,
      ...streamsOf(call.query),
      run: async (streams, signal) => {
        if (does === "exec") return node.exec(target, options, streams, signal);
        await node.attach(target, options, streams, signal);
        return { exitCode: 0 };
      },
      clock: this.#serving.clock,
      log: this.#serving.log,
    });
  }

  async #portForward({ request, socket, head }: UpgradeRequest, call: Call): Promise<void> {
    const pod = await podOf(call);
    const ports = portsOf(call.query);
    const node = await this.#serving.nodes.connect(nodeOf(pod));
    await servePortForward({
      req: request,
      socket,
      head,
      ...(ports.length > 0 && { ports }),
      connect: (port, signal) => node.portForward(podTarget(pod), port, signal),
      clock: this.#serving.clock,
      log: this.#serving.log,
    });
  }
}

function streamsOf(query: Query | undefined) {
  const tty = flagOf(query, "tty");
  return {
    stdin: flagOf(query, "stdin"),
    stdout: flagOf(query, "stdout"),
    // A terminal has one output.
    stderr: !tty && flagOf(query, "stderr"),
    tty,
  };
}

function execOptionsOf(query: Query | undefined): ExecOptions {
  const command = query?.["command"];
  const words = typeof command === "string" ? [command] : [...(command ?? [])];
  if (words.length === 0)
    throw invalid({ group: "", kind: "PodExecOptions" }, "", [fieldRequired("command")]);
  return { ...streamsOf(query), command: words };
}

function requireSomeStream(options: ExecOptions, does: "exec" | "attach"): void {
  if (options.stdin || options.stdout || options.stderr) return;
  const kind = does === "exec" ? "PodExecOptions" : "PodAttachOptions";
  throw invalid({ group: "", kind }, "", [
    fieldRequired("", "at least one of stdin, stdout or stderr must be specified"),
  ]);
}

function portsOf(query: Query | undefined): number[] {
  const given = query?.["ports"];
  const texts = (typeof given === "string" ? [given] : [...(given ?? [])]).flatMap((text) => text.split(","));
  return texts.map((text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65_535) return port;
    throw invalid({ group: "", kind: "PodPortForwardOptions" }, "", [
      fieldInvalid("ports", text, "must be between 1 and 65535, inclusive"),
    ]);
  });
}
