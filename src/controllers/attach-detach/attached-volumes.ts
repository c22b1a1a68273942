import type { corev1 } from "../../api/index.ts";
import { KeyedMutex } from "../../base/index.ts";
import { type Client, type Informer, nodes } from "../../client/index.ts";
import type { KubeObject } from "../../machinery/index.ts";

type Node = corev1.Node & KubeObject;

/** `status.volumesAttached` of nodes: by it a node knows what it may mount. One write at a time for each node. */
export class AttachedVolumes {
  readonly #client: Client;
  readonly #nodes: Informer<Node>;
  readonly #turns = new KeyedMutex();

  constructor(options: { client: Client; nodes: Informer<Node> }) {
    this.#client = options.client;
    this.#nodes = options.nodes;
  }

  async add(nodeName: string, unique: string): Promise<void> {
    const seen = this.#nodes.get(nodeName);
    if (seen && namesOf(seen).includes(unique)) return;
    await this.#change(nodeName, (names) => (names.includes(unique) ? names : [...names, unique]));
  }

  /** `even`: also if the node says that it has the volume mounted. */
  remove(nodeName: string, unique: string, even: "in use" | "unused"): Promise<"done" | "in use"> {
    return this.#change(nodeName, (names, { status }) =>
      even === "unused" && status?.volumesInUse?.includes(unique)
        ? undefined
        : names.filter((name) => name !== unique),
    );
  }

  /** By what the API has now: another's write in between is a conflict, and the volume is looked at again. */
  #change(
    nodeName: string,
    change: (names: string[], node: Node) => string[] | undefined,
  ): Promise<"done" | "in use"> {
    return this.#turns.run(nodeName, async () => {
      if (!this.#nodes.get(nodeName)) return "done";
      const node = await this.#client.resource<Node>(nodes).get(undefined, nodeName);
      const names = namesOf(node);
      const after = change(names, node);
      if (!after) return "in use";
      if (after.length === names.length) return "done";
      const volumesAttached = after.sort().map((name) => ({ name, devicePath: "" }));
      const { resourceVersion } = node.metadata;
      const body = { metadata: { resourceVersion }, status: { volumesAttached } };
      await this.#client
        .resource<Node>(nodes)
        .patch(undefined, nodeName, "merge", body, { subresource: "status" });
      return "done";
    });
  }
}

const namesOf = ({ status }: Node) => (status?.volumesAttached ?? []).map(({ name }) => name);
