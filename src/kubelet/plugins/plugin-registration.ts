import type { Clock, Log, Timer } from "../../base/index.ts";
import { Backoff } from "../worker/backoff.ts";
import { messageOf } from "../worker/start-error.ts";
import { PluginSockets } from "./plugin-sockets.ts";
import type { RpcClient } from "./rpc.ts";

const service = "pluginregistration.Registration";
/** As upstream: what registers is a small program on this machine. */
const callMsMax = 1_000;
const notifyMsMax = 5_000;
const retryBackoff = { initialMs: 500, capMs: 120_000 };

/** Who uses plugins of one type. Counterpart upstream: `cache.PluginHandler`. */
export interface PluginHandler {
  /** Rejects where the plugin must not register; what it says reaches the plugin. */
  register(plugin: RegisteringPlugin): Promise<void>;
  /** Its socket is gone. */
  deregister(name: string, endpoint: string): Promise<void>;
}

export interface RegisteringPlugin {
  name: string;
  /** Where it serves; the registration's own socket unless it says another. */
  endpoint: string;
  versions: readonly string[];
}

interface Socket {
  path: string;
  identity: string;
  isGone: boolean;
  backoff: Backoff;
  retry: Timer | undefined;
  registered: { handler: PluginHandler; name: string; endpoint: string } | undefined;
  /** One thing at a time for one socket. */
  turn: Promise<void>;
}

export interface PluginRegistrationOptions {
  /** `plugins_registry` of the agent's folder. */
  dir: string;
  clock: Clock;
  log: Log;
  /** By type: `CSIPlugin`. */
  handlers: Readonly<Record<string, PluginHandler>>;
}

/**
 * Plugins register by a socket in a folder: the agent asks who they are (GetInfo), and tells them what became of it
 * (NotifyRegistrationStatus). A registration that failed is tried again while the socket is there.
 * Counterpart upstream: `pkg/kubelet/pluginmanager`.
 */
export class PluginRegistration {
  readonly #options: PluginRegistrationOptions;
  readonly #sockets: PluginSockets;
  readonly #known = new Map<string, Socket>();
  readonly #turns = new Set<Promise<void>>();

  constructor(options: PluginRegistrationOptions) {
    this.#options = options;
    this.#sockets = new PluginSockets({
      ...{ dir: options.dir, clock: options.clock, log: options.log },
      onFound: (path, identity) => this.#found(path, identity),
      onGone: (path) => this.#gone(path),
    });
  }

  /** Resolves when the plugins that were there have been asked once. */
  async start(): Promise<void> {
    await this.#sockets.start();
    await Promise.all(this.#turns);
  }

  close(): void {
    this.#sockets.close();
    for (const socket of this.#known.values()) {
      socket.isGone = true;
      socket.retry?.cancel();
    }
  }

  #found(path: string, identity: string): void {
    const socket: Socket = {
      ...{ path, identity, isGone: false, backoff: new Backoff(retryBackoff) },
      ...{ retry: undefined, registered: undefined, turn: Promise.resolve() },
    };
    this.#known.set(path, socket);
    this.#inTurn(socket, () => this.#tryRegister(socket));
  }

  #gone(path: string): void {
    const socket = this.#known.get(path);
    if (!socket) return;
    this.#known.delete(path);
    socket.isGone = true;
    socket.retry?.cancel();
    this.#inTurn(socket, () => this.#deregister(socket));
  }

  #inTurn(socket: Socket, work: () => Promise<void>): void {
    const turn = socket.turn.then(work).catch((error) => {
      this.#options.log.warn({ socket: socket.path, error: messageOf(error) }, "a plugin's turn failed");
    });
    socket.turn = turn;
    this.#turns.add(turn);
    void turn.finally(() => this.#turns.delete(turn));
  }

  async #tryRegister(socket: Socket): Promise<void> {
    const { clock, log } = this.#options;
    if (socket.isGone) return;
    const { RpcClient } = await import("./rpc.ts");
    const client = new RpcClient(socket.path, clock);
    try {
      await this.#register(socket, client);
      log.info({ socket: socket.path, plugin: socket.registered?.name }, "a plugin has registered");
    } catch (error) {
      log.warn({ socket: socket.path, error: messageOf(error) }, "a plugin could not be registered");
      if (socket.isGone) return;
      socket.retry = clock.after(socket.backoff.next(), () =>
        this.#inTurn(socket, () => this.#tryRegister(socket)),
      );
    } finally {
      client.close();
    }
  }

  async #register(socket: Socket, client: RpcClient): Promise<void> {
    const info = await client.call(service, "GetInfo", {}, { timeoutMs: callMsMax });
    const handler = this.#options.handlers[info.type];
    const plugin = {
      name: info.name,
      endpoint: info.endpoint || socket.path,
      versions: info.supportedVersions,
    };
    try {
      if (!handler)
        throw new Error(`no handler registered for plugin type: ${info.type} at socket ${socket.path}`);
      await handler.register(plugin);
    } catch (error) {
      const why = `RegisterPlugin error -- plugin registration failed with err: ${messageOf(error)}`;
      await notify(client, { pluginRegistered: false, error: why }).catch(() => {});
      throw error;
    }
    socket.registered = { handler, name: plugin.name, endpoint: plugin.endpoint };
    try {
      await notify(client, { pluginRegistered: true, error: "" });
    } catch (error) {
      await this.#deregister(socket);
      throw error;
    }
  }

  async #deregister(socket: Socket): Promise<void> {
    const { registered } = socket;
    socket.registered = undefined;
    await registered?.handler.deregister(registered.name, registered.endpoint);
  }
}

async function notify(
  client: RpcClient,
  status: { pluginRegistered: boolean; error: string },
): Promise<void> {
  await client.call(service, "NotifyRegistrationStatus", status, { timeoutMs: notifyMsMax });
}
