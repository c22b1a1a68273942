import type { IncomingMessage } from "node:http";
import { parse as parseQuery } from "node:querystring";
import type { ExecOptions } from "../../client/index.ts";
import {
  badRequest,
  fieldInvalid,
  fieldRequired,
  invalid,
  noSuchResource,
  type StatusError,
} from "../../machinery/index.ts";
import { refuseUpgrade, servePortForward, serveRemoteCommand } from "../../streaming/index.ts";
import { authorizeResource } from "../authorize.ts";
import { type Call, type Caller, parameter, type Query, type Serving } from "../context.ts";
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
    const { call, connection } = this.#callOf(request);
    // A WebSocket is opened with a GET, but runs a command as a POST does. As AuthorizePodWebsocketUpgradeCreatePermission.
    if (request.method === "GET") await authorizeResource(this.#serving, caller, { ...call, verb: "get" });
    await authorizeResource(this.#serving, caller, { ...call, verb: "create" });
    const admission = admissionRequest(call, caller, { operation: "CONNECT", name: call.name! });
    await admitMutating(this.#serving, admission);
    await admitValidating(this.#serving, admission);
    if (connection.name === "portforward") await this.#portForward(upgrade, call);
    else await this.#remoteCommand(upgrade, call, connection.name);
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

  #callOf(request: IncomingMessage): { call: Call; connection: Connection } {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const path = parsePath(mark < 0 ? url : url.slice(0, mark));
    const query = mark < 0 ? {} : (parseQuery(url.slice(mark + 1)) as Query);
    const connection = path.to === "resource" ? connections.get(path.subresource ?? "") : undefined;
    if (path.to !== "resource" || !connection || path.name === undefined) {
      throw badRequest("this request cannot be upgraded");
    }
    const storage = this.#serving.resources.get(path.group, path.version, path.resource);
    if (!storage.kind.subresources?.includes(connection.name)) throw noSuchResource();
    const { name, namespace, subresource } = path;
    const call: Call = { verb: "create", storage, name, options: {}, query };
    if (namespace !== undefined) call.namespace = namespace;
    if (subresource !== undefined) call.subresource = subresource;
    return { call, connection };
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
      run: (streams, signal) =>
        does === "exec"
          ? node.exec(target, options, streams, signal)
          : node.attach(target, options, streams, signal),
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
