import { isDeepStrictEqual } from "node:util";
import { type authenticationv1, type corev1, isMirrorPod, referredKind } from "../api/index.ts";
import { nodeNameOf } from "../auth/index.ts";
import { notFound } from "../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { forbiddenLabels } from "./node-labels.ts";
import { type Lookup, refusal } from "./refuse.ts";

export interface NodeRestrictionOptions {
  getPod(namespace: string, name: string): Lookup<corev1.Pod>;
  getNode(name: string): Lookup<corev1.Node>;
}

/**
 * Lets a node write only its own Node object and lease, the status of its own pods, and mirror pods of itself; so that whoever takes
 * over a node does not have the cluster. What it may read is the node authorizer's business.
 * As `plugin/pkg/admission/noderestriction`.
 */
export function nodeRestriction(options: NodeRestrictionOptions): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    wants: ({ user, operation }) => operation !== "CONNECT" && nodeNameOf(user) !== undefined,
    validate: (request) => new Restriction(request, nodeNameOf(request.user)!, options).check(),
  };
}

class Restriction {
  readonly #request: AdmissionRequest;
  readonly #node: string;
  readonly #options: NodeRestrictionOptions;

  constructor(request: AdmissionRequest, node: string, options: NodeRestrictionOptions) {
    this.#request = request;
    this.#node = node;
    this.#options = options;
  }

  check(): Promise<void> | void {
    const { resource, subresource } = this.#request;
    switch (resource.group ? `${resource.resource}.${resource.group}` : resource.resource) {
      case "pods":
        return this.#pod();
      case "nodes":
        return this.#ownNode();
      case "serviceaccounts":
        return subresource === "token" ? this.#token() : undefined;
      case "persistentvolumeclaims":
        if (subresource !== "status") throw this.#refuse("may only update PVC status");
        return this.#claimStatus();
      case "leases.coordination.k8s.io":
        if (this.#request.namespace !== "kube-node-lease") {
          throw this.#refuse('can only access leases in the "kube-node-lease" system namespace');
        }
        return this.#named("can only access node lease with the same name as the requesting node");
      case "csinodes.storage.k8s.io":
        return this.#named("can only access CSINode with the same name as the requesting node");
    }
  }

  #refuse(why: string) {
    return refusal(this.#request, why);
  }

  #named(why: string): void {
    const { name, object } = this.#request;
    if ((name || object?.metadata.name) !== this.#node) throw this.#refuse(why);
  }

  #pod(): Promise<void> | void {
    const { operation, subresource = "", old, object } = this.#request;
    const node = JSON.stringify(this.#node);
    switch (subresource) {
      case "":
        if (operation === "CREATE") return this.#mirrorPod(object as corev1.Pod);
        if (operation === "DELETE") {
          return this.#ownPod(
            old as corev1.Pod,
            `node ${node} can only delete pods with spec.nodeName set to itself`,
          );
        }
        throw this.#refuse(
          `unexpected operation "${operation}", node ${node} can only create and delete mirror pods`,
        );
      case "status":
        return this.#podStatus(old as corev1.Pod, object as corev1.Pod);
      case "eviction":
        return this.#eviction();
      default:
        throw this.#refuse(
          `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`,
        );
    }
  }

  #ownPod(pod: corev1.Pod | undefined, why: string): void {
    if (pod?.spec.nodeName !== this.#node) throw this.#refuse(why);
  }

  async #mirrorPod(pod: corev1.Pod): Promise<void> {
    const node = JSON.stringify(this.#node);
    if (!isMirrorPod(pod)) {
      throw this.#refuse(
        `pod does not have "kubernetes.io/config.mirror" annotation, node ${node} can only create mirror pods`,
      );
    }
    this.#ownPod(pod, `node ${node} can only create pods with spec.nodeName set to itself`);
    const [owner, ...more] = pod.metadata.ownerReferences ?? [];
    const itself = owner?.apiVersion === "v1" && owner.kind === "Node" && owner.name === this.#node;
    if (!owner || more.length > 0 || !itself) {
      throw this.#refuse(`node ${node} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true) {
      throw this.#refuse(`node ${node} can only create pods with a controller owner reference set to itself`);
    }
    if (owner.blockOwnerDeletion) {
      throw this.#refuse(`node ${node} must not set blockOwnerDeletion on an owner reference`);
    }
    const stored = await this.#options.getNode(this.#node);
    if (!stored) throw notFound({ group: "", resource: "nodes" }, this.#node);
    if (owner.uid !== stored.metadata.uid) {
      throw this.#refuse(`node ${this.#node} UID mismatch: expected ${owner.uid} got ${stored.metadata.uid}`);
    }
    const kind = referredKind(pod);
    if (kind) throw this.#refuse(`node ${node} can not create pods that reference ${kind}`);
  }

  #podStatus(old: corev1.Pod, pod: corev1.Pod): void {
    const node = JSON.stringify(this.#node);
    this.#ownPod(old, `node ${node} can only update pod status for pods with spec.nodeName set to itself`);
    if (!isDeepStrictEqual(old.metadata.labels ?? {}, pod.metadata.labels ?? {})) {
      throw this.#refuse(`node ${node} cannot update labels through pod status`);
    }
    if (
      !isDeepStrictEqual(old.status?.resourceClaimStatuses ?? [], pod.status?.resourceClaimStatuses ?? [])
    ) {
      throw this.#refuse(`node ${node} cannot update resource claim statues`);
    }
  }

  async #eviction(): Promise<void> {
    const { namespace, name, object } = this.#request;
    const podName = name || object?.metadata.name;
    if (!podName) throw this.#refuse("could not determine pod from request data");
    const pod = await this.#options.getPod(namespace!, podName);
    if (!pod) throw notFound({ group: "", resource: "pods" }, podName);
    this.#ownPod(pod, `node ${this.#node} can only evict pods with spec.nodeName set to itself`);
  }

  async #token(): Promise<void> {
    const { namespace, object } = this.#request;
    const bound = (object as authenticationv1.TokenRequest | undefined)?.spec.boundObjectRef;
    if (bound?.apiVersion !== "v1" || bound.kind !== "Pod" || !bound.name) {
      throw this.#refuse("node requested token not bound to a pod");
    }
    if (!bound.uid) throw this.#refuse("node requested token with a pod binding without a uid");
    const pod = await this.#options.getPod(namespace!, bound.name);
    if (!pod) throw notFound({ group: "", resource: "pods" }, bound.name);
    if (pod.metadata.uid !== bound.uid) {
      throw this.#refuse(
        `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    this.#ownPod(pod, "node requested token bound to a pod scheduled on a different node");
  }

  #claimStatus(): void {
    const { old, object } = this.#request;
    const bare = (claim: typeof object) => {
      const { resourceVersion: _, managedFields: __, ...metadata } = claim?.metadata ?? {};
      const { capacity, conditions, allocatedResources, allocatedResourceStatuses, ...status } =
        claim?.status ?? {};
      return { ...claim, metadata, status };
    };
    if (!isDeepStrictEqual(bare(old), bare(object))) {
      throw this.#refuse(
        `node ${JSON.stringify(this.#node)} is not allowed to update fields other than status.quantity and status.conditions`,
      );
    }
  }

  #ownNode(): void {
    const { operation, name, object, old } = this.#request;
    const node = JSON.stringify(this.#node);
    const requested = name || object?.metadata.name || "";
    if (requested !== this.#node) {
      throw this.#refuse(`node ${node} is not allowed to modify node ${JSON.stringify(requested)}`);
    }
    const after = object as corev1.Node | undefined;
    const before = old as corev1.Node | undefined;
    if (operation === "CREATE") {
      const labels = forbiddenLabels(after?.metadata.labels, undefined);
      if (labels.length > 0) {
        throw this.#refuse(`node ${node} is not allowed to set the following labels: ${labels.join(", ")}`);
      }
    } else if (operation === "UPDATE") {
      if (!isDeepStrictEqual(after?.spec?.taints ?? [], before?.spec?.taints ?? [])) {
        throw this.#refuse(`node ${node} is not allowed to modify taints`);
      }
      if (!isDeepStrictEqual(after?.metadata.ownerReferences ?? [], before?.metadata.ownerReferences ?? [])) {
        throw this.#refuse(`node ${node} is not allowed to modify ownerReferences`);
      }
      const labels = forbiddenLabels(after?.metadata.labels, before?.metadata.labels);
      if (labels.length > 0) throw this.#refuse(`is not allowed to modify labels: ${labels.join(", ")}`);
    }
  }
}
